package models

import (
	"math"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// What scripts/golden/models_speednet.py wrote.
type goldenSpeednet struct {
	N, Side     int
	Eigenvalues []float64
	Rows        []float64 // of the whitening, one for each eigenvalue, of either sign
	Eval, Train []float64
	Parameters  int64
}

func readSpeednet(t *testing.T) (g goldenSpeednet, pictures torch.Tensor) {
	t.Helper()
	g = testdata.Golden[goldenSpeednet](t, "testdata/speednet.json")
	return g, torch.NewTensor(testdata.Waves(g.N, g.Side)).View(int64(g.N), 3, int64(g.Side), int64(g.Side))
}

func TestSpeednetEqualsPyTorch(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	g, x := readSpeednet(t)
	m := build(t, "speednet", Options{Classes: 10})
	trained := int64(0)
	for _, p := range m.Parameters() {
		trained += p.Numel()
	}
	if trained != g.Parameters {
		t.Errorf("%d numbers are trained, want %d", trained, g.Parameters)
	}
	torch.NoGrad(func() {
		for k, n := range m.Named() {
			switch n.Name {
			case "head.weight":
				n.Tensor.CopyI(value(n.Name, n.Tensor.Shape(), k).MulScalar(16))
			default:
				if n.Tensor.Dim() > 0 {
					n.Tensor.CopyI(value(n.Name, n.Tensor.Shape(), k))
				}
			}
		}
		m.ToChannelsLast()
		x = x.ChannelsLast()
		m.Train(false)
		logitsEqual(t, "evaluation", m.Logits(x), g.Eval, 1e-4)
		m.Train(true)
		logitsEqual(t, "training", m.Logits(x), g.Train, 1e-4)
	})
}

// The rows are the eigenvectors PyTorch finds, and pictures that are put through them are white.
func TestWhitening(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	g, x := readSpeednet(t)
	w := newWhitening(3, 2)
	sum, n := w.Patches(x.Slice(0, 0, 5, 1))
	more, k := w.Patches(x.Slice(0, 5, int64(g.N), 1))
	if want := int64(g.N * (g.Side - 1) * (g.Side - 1)); n+k != want {
		t.Fatalf("%d patches, want %d", n+k, want)
	}
	w.Fit(sum.Add(more, 1).DivScalar(float64(n + k)))
	rows := torch.Values[float32](w.Weight)
	for i := range 12 {
		dot, norm := 0.0, 0.0
		for j := range 12 {
			dot += float64(rows[12*i+j]) * g.Rows[12*i+j]
			norm += g.Rows[12*i+j] * g.Rows[12*i+j]
			if rows[12*i+j] != -rows[12*(12+i)+j] {
				t.Errorf("row %d is not the negative of row %d", 12+i, i)
			}
		}
		if math.Abs(math.Abs(dot)/norm-1) > 1e-5 {
			t.Errorf("row %d, of the eigenvalue %g: %v, want one of %v", i, g.Eigenvalues[i], rows[12*i:12*i+12], g.Rows[12*i:12*i+12])
		}
	}
	torch.NoGrad(func() {
		y := w.Forward(x).Sub(w.Bias.View(1, -1, 1, 1), 1).Permute([]int64{1, 0, 2, 3}).Flatten(1, -1) // (24, patches)
		squares := torch.Values[float32](y.MM(y.Transpose(0, 1)).DivScalar(float64(n + k)))
		for i := range 12 {
			for j := range 12 {
				want := 0.0
				if i == j {
					want = g.Eigenvalues[i] / (g.Eigenvalues[i] + whiteningEps)
				}
				if got := float64(squares[24*i+j]); math.Abs(got-want) > 1e-3 {
					t.Errorf("components %d and %d have the mean product %g, want %g", i, j, got, want)
				}
			}
		}
	})
}

// The first outputs of a convolution begin as its inputs, the head's weights at a standard deviation of 1.
func TestSpeednetBegins(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	torch.NoGrad(func() {
		x := torch.RandN([]int64{2, 24, 9, 9}, false)
		y := diracConv(24, 64).Forward(x)
		if !torch.AllClose(y.Narrow(1, 0, 24), x) {
			t.Error("the first 24 outputs are not the inputs")
		}
		if torch.AllClose(y.Narrow(1, 24, 24), x) || y.Narrow(1, 24, 40).Abs().Max().ItemFloat64() == 0 {
			t.Error("the other outputs copy, too, or are nothing")
		}
		narrow := diracConv(24, 8).Forward(x)
		if !torch.AllClose(narrow, x.Narrow(1, 0, 8)) {
			t.Error("fewer outputs than inputs are not the first inputs")
		}
		m := build(t, "speednet", Options{Classes: 7, Width: 0.25})
		if std := m.StateDict()["head.weight"].Std([]int64{0, 1}, 1, false).ItemFloat64(); math.Abs(std-1) > 1e-5 {
			t.Errorf("the head's weights have a standard deviation of %g", std)
		}
	})
}
