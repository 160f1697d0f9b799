package models

import (
	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// whiteningEps keeps directions that pictures hardly vary in from being magnified without bound.
const whiteningEps = 5e-4

// A Whitening is a convolution whose weights come from pictures instead of training: it takes each patch to its
// principal components, scaled to a variance of about 1, and to their negatives. Its bias is trained. Its weights are
// random until [Whitening.Fit].
type Whitening struct {
	nn.Module
	Weight torch.Tensor `gotorch:"buffer"` // (2 in kernel kernel, in, kernel, kernel)
	Bias   torch.Tensor // (2 in kernel kernel)
}

func newWhitening(in, kernel int64) *Whitening {
	c := nn.Conv2d(in, 2*in*kernel*kernel, kernel, 1, 0, 1, 1, true, "zeros")
	c.Weight.SetRequiresGrad(false)
	w := &Whitening{Weight: c.Weight, Bias: c.Bias}
	w.Init(w)
	return w
}

// Forward takes (N, in, H, W) to (N, 2 in kernel kernel, H-kernel+1, W-kernel+1). Bytes stand for 0 to 1.
func (w *Whitening) Forward(x torch.Tensor) torch.Tensor {
	return w.Forwarded(x, F.Conv2d(nn.Pixels(x), w.Weight, w.Bias, []int64{1, 1}, []int64{0, 0}, []int64{1, 1}, 1))
}

// Patches is what [Whitening.Fit] needs of pictures (N, in, H, W): the sum of p times p transposed over all patches p, as
// columns, Double (in kernel kernel, in kernel kernel), and how many those are.
func (w *Whitening) Patches(x torch.Tensor) (sum torch.Tensor, n int64) {
	kernel := w.Weight.Shape()[2]
	p := x.Unfold(2, kernel, 1).Unfold(3, kernel, 1) // (N, in, H', W', kernel, kernel)
	p = p.Permute([]int64{0, 2, 3, 1, 4, 5}).Reshape([]int64{-1, w.Weight.Numel() / w.Weight.Shape()[0]}).CastTo(torch.Double)
	return p.Transpose(0, 1).MM(p), p.Shape()[0]
}

// Fit takes the weights from the mean c of p times p transposed over patches p: c's eigenvectors, each divided by the
// square root of its eigenvalue plus 5e-4, ascending, then their negatives (Jordan's airbench, 2024; patches are not
// centred).
func (w *Whitening) Fit(c torch.Tensor) {
	torch.NoGrad(func() {
		values, vectors := c.To(torch.CPU, torch.Double).Eigh()
		rows := vectors.Transpose(0, 1).Div(values.AddScalar(whiteningEps).Sqrt().View(-1, 1))
		w.Weight.CopyI(torch.Cat([]torch.Tensor{rows, rows.Neg()}, 0).Reshape(w.Weight.Shape()))
	})
}
