package initializer_test

import (
	"math"
	"os"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/leaktest"
	I "github.com/wangkuiyi/gotorch/nn/initializer"
	"github.com/wangkuiyi/gotorch/safetensors"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }

// Every initialiser draws what torch.nn.init draws from the same seed; scripts/golden/gotorch_init.py made
// the golden. The orthogonal matrices go through LAPACK, whose last bits depend on the processor.
func TestInitialisersDrawPyTorchsNumbers(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	golden, err := safetensors.Load("../../testdata/init.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]int64{"matrix": {6, 9}, "tall": {9, 6}, "kernel": {8, 4, 3, 3}}
	compared := 0
	for name, fill := range map[string]func(*torch.Tensor){
		"zeros":           I.Zeros,
		"ones":            I.Ones,
		"constant":        func(w *torch.Tensor) { I.Constant(w, 0.3) },
		"uniform":         func(w *torch.Tensor) { I.Uniform(w, -0.5, 2) },
		"normal":          func(w *torch.Tensor) { I.Normal(w, 1, 0.02) },
		"kaiming_uniform": func(w *torch.Tensor) { I.KaimingUniform(w, 0.1, "fan_in", "leaky_relu") },
		"kaiming_normal":  func(w *torch.Tensor) { I.KaimingNormal(w, 0, "fan_out", "relu") },
		"xavier_uniform":  func(w *torch.Tensor) { I.XavierUniform(w, 1.5) },
		"xavier_normal":   func(w *torch.Tensor) { I.XavierNormal(w, I.CalculateGain("tanh", 0)) },
		"trunc_normal":    func(w *torch.Tensor) { I.TruncNormal(w, 0.1, 0.5, -0.4, 1) },
		"orthogonal":      func(w *torch.Tensor) { I.Orthogonal(w, 1.2) },
	} {
		for word, shape := range shapes {
			want, ok := golden[name+"."+word]
			if !ok {
				t.Errorf("the golden has no %s.%s", name, word)
				continue
			}
			compared++
			w := torch.Empty(shape, true)
			I.ManualSeed(11)
			fill(&w)
			d := w.Detach().Sub(want, 1).Abs().Max().ItemFloat64()
			if largest := want.Abs().Max().ItemFloat64(); !(d <= 1e-6*math.Max(largest, 1e-30)) {
				t.Errorf("%s of %v differs by %v from PyTorch's", name, shape, d)
			}
		}
	}
	if compared != len(golden) {
		t.Errorf("%d of the golden's %d tensors were compared", compared, len(golden))
	}
}
