package nn_test

import (
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

type forward interface {
	nn.IModule
	Forward(torch.Tensor) torch.Tensor
}

// The modules without a golden of their own are the operations of package gotorch, which have them, with
// PyTorch's settings.
func TestModulesAreTheirOperations(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.RandN([]int64{2, 4, 6, 6}, false)
	two, none, one := []int64{2, 2}, []int64{0, 0}, []int64{1, 1}
	largest, _ := torch.AdaptiveMaxPool2d(x, []int64{2, 3})
	for name, c := range map[string]struct {
		module forward
		want   torch.Tensor
	}{
		"nn.Identity":             {nn.Identity(), x},
		"nn.Sigmoid":              {nn.Sigmoid(), x.Sigmoid()},
		"nn.Tanh":                 {nn.Tanh(), x.Tanh()},
		"nn.ReLU6":                {nn.ReLU6(), x.Relu6()},
		"nn.SiLU":                 {nn.SiLU(), x.Silu()},
		"nn.Mish":                 {nn.Mish(), x.Mish()},
		"nn.SELU":                 {nn.SELU(), x.Selu()},
		"nn.Hardswish":            {nn.Hardswish(), x.Hardswish()},
		"nn.Hardsigmoid":          {nn.Hardsigmoid(), x.Hardsigmoid()},
		"nn.GELU":                 {nn.GELU(), x.Gelu("none")},
		"nn.LeakyReLU":            {nn.LeakyReLU(0.2), x.LeakyRelu(0.2)},
		"nn.ELU":                  {nn.ELU(0.5), x.Elu(0.5)},
		"nn.Softmax":              {nn.Softmax(1), x.Softmax(1)},
		"nn.LogSoftmax":           {nn.LogSoftmax(1), x.LogSoftmax(1)},
		"nn.MaxPool2dModule":      {nn.MaxPool2d(2, 0, 0, 1, false), torch.MaxPool2d(x, two, two, none, one, false)},
		"nn.AvgPool2dModule":      {nn.AvgPool2d(2, 1, 1, false, false), torch.AvgPool2d(x, two, one, one, false, false)},
		"nn.AdaptivePool2dModule": {nn.AdaptiveMaxPool2d(2, 3), largest},
		"nn.LayerNormModule":      {nn.LayerNorm([]int64{6, 6}, 1e-5, true), torch.LayerNorm(x, []int64{6, 6}, torch.Tensor{}, torch.Tensor{}, 1e-5)},
		"nn.GroupNormModule":      {nn.GroupNorm(2, 4, 1e-5, false), torch.GroupNorm(x, 2, torch.Tensor{}, torch.Tensor{}, 1e-5)},
	} {
		hooks := 0
		c.module.Apply(func(m nn.IModule) {
			m.(*nn.Module).RegisterForwardHook(func(nn.IModule, torch.Tensor, torch.Tensor) { hooks++ })
		})
		if got := c.module.Forward(x); !torch.AllClose(got, c.want) {
			t.Errorf("%s differs from its operation", name)
		}
		if hooks != 1 {
			t.Errorf("%s called its hook %d times, want once", name, hooks)
		}
		if c.module.Name() != name {
			t.Errorf("the module is called %s, want %s", c.module.Name(), name)
		}
	}
	if got := nn.AdaptiveAvgPool2d(1, 1).Forward(x); !torch.AllClose(got, x.MeanDims([]int64{2, 3}, true)) {
		t.Error("AdaptiveAvgPool2d(1, 1) is not the mean")
	}
	if n := len(nn.LayerNorm([]int64{6}, 1e-5, true).Parameters()) + len(nn.GroupNorm(2, 4, 1e-5, true).Parameters()); n != 4 {
		t.Errorf("two affine normalisations have %d parameters, want 4", n)
	}
}

func TestDropoutIsForTraining(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	torch.ManualSeed(1)
	x := torch.Ones([]int64{8, 16, 4, 4}, false)
	for _, channels := range []bool{false, true} {
		d := nn.Dropout(0.25)
		if channels {
			d = nn.Dropout2d(0.25)
		}
		y := d.Forward(x)
		zeros := y.EqScalar(0).CastTo(torch.Float)
		if share := zeros.Mean().ItemFloat64(); share < 0.1 || share > 0.4 {
			t.Errorf("channels %v: a share of %v was dropped, want about 0.25", channels, share)
		}
		whole := zeros.MeanDims([]int64{2, 3}, false)
		partly := whole.GtScalar(0).LogicalAnd(whole.LtScalar(1)).Any().Item().(bool)
		if partly == channels {
			t.Errorf("channels %v: channels were dropped in part: %v", channels, partly)
		}
		d.Eval()
		if !torch.Equal(d.Forward(x), x) {
			t.Errorf("channels %v: evaluation changed the input", channels)
		}
	}
	for name, f := range map[string]func(){
		"a probability of 2": func() { nn.Dropout(2) },
		"odd groups":         func() { nn.GroupNorm(3, 4, 1e-5, true) },
		"padding of a pool":  func() { nn.MaxPool2d(2, 2, 2, 1, false).Forward(x) },
	} {
		if err := torch.Try(f); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
