package nn_test

import (
	"fmt"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
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

// The modes of Interpolate are the operations of package gotorch, which have goldens; a constant stays one.
func TestInterpolateModes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	seen := map[string]bool{}
	for mode, sizes := range map[string][]int64{
		"nearest": {5, 3}, "nearest-exact": {5, 3}, "area": {5, 3}, "bilinear": {5, 3}, "bicubic": {5, 3}, "linear": {5}, "trilinear": {5, 3, 2},
	} {
		shape := append([]int64{2, 3}, []int64{4, 4, 4}[:len(sizes)]...)
		y := F.Interpolate(torch.Full(shape, 7, false), sizes, mode, false, false)
		if !torch.AllClose(y, torch.Full(append([]int64{2, 3}, sizes...), 7, false)) {
			t.Errorf("%s made %v of a constant", mode, y.Shape())
		}
		x := torch.RandN(shape, false)
		seen[fmt.Sprint(torch.Values[float32](F.Interpolate(x, sizes, mode, false, false))[:3], mode == "area")] = true
		if err := torch.Try(func() { F.Interpolate(x, append(sizes, 2), mode, false, false) }); err == nil {
			t.Errorf("%s accepted %d sizes", mode, len(sizes)+1)
		}
	}
	if len(seen) != 7 {
		t.Errorf("two modes gave the same values: %v", seen)
	}
}

// What follows a convolution or a BatchNorm2d in a Sequential may change its result in place, as in PyTorch;
// the gradients are those of the layers one by one.
func TestChangesInPlaceAfterAChain(t *testing.T) {
	leaky := func(x torch.Tensor) torch.Tensor { return F.LeakyRelu(x, 0.2, true) }
	conv := func() *nn.Conv2dModule { return nn.Conv2d(3, 4, 3, 1, 1, 1, 1, true, "zeros") }
	conv4 := func() *nn.Conv2dModule { return nn.Conv2d(4, 4, 3, 2, 1, 1, 1, false, "zeros") }
	norm := func() *nn.BatchNorm2dModule { return nn.BatchNorm2d(4, 1e-5, 0.1, true, true) }
	for name, build := range map[string]func() []nn.IModule{
		"convolution":             func() []nn.IModule { return []nn.IModule{conv(), nn.Functional(leaky)} },
		"normalisation":           func() []nn.IModule { return []nn.IModule{conv(), norm(), nn.Functional(leaky)} },
		"ReLU, normalisation":     func() []nn.IModule { return []nn.IModule{conv(), nn.ReLU(), norm(), nn.Functional(leaky)} },
		"a view":                  func() []nn.IModule { return []nn.IModule{conv(), norm(), nn.Flatten(), nn.Functional(leaky)} },
		"two":                     func() []nn.IModule { return []nn.IModule{conv(), nn.ReLU(), conv4(), norm(), nn.Functional(leaky)} },
		"nothing, then by itself": func() []nn.IModule { return []nn.IModule{conv(), norm()} },
	} {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			torch.ManualSeed(5)
			x := torch.RandN([]int64{2, 3, 6, 6}, true)
			run := func(oneByOne bool) (y torch.Tensor, gradients []torch.Tensor) {
				torch.ManualSeed(6)
				net := nn.Sequential(build()...)
				if oneByOne {
					net.Modules[0].(*nn.Conv2dModule).RegisterForwardHook(func(nn.IModule, torch.Tensor, torch.Tensor) {})
				}
				y = net.Forward(x).(torch.Tensor)
				if _, changed := net.Modules[len(net.Modules)-1].(*nn.FunctionalModule); !changed {
					y = F.Relu(y, true)
				}
				return y, torch.Gradients([]torch.Tensor{y.Mul(y).Sum()}, append(net.Parameters(), x), nil, false)
			}
			y, got := run(false)
			want, gradients := run(true)
			if d := y.Sub(want, 1).Abs().Max().ItemFloat64(); d > 1e-5 {
				t.Errorf("the values differ by %v", d)
			}
			for i, g := range gradients {
				if d := got[i].Sub(g, 1).Abs().Max().ItemFloat64(); d > 1e-3*max(1, g.Abs().Max().ItemFloat64()) {
					t.Errorf("gradient %d differs by %v of %v", i, d, g.Abs().Max().ItemFloat64())
				}
			}
		})
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

// With one channel NCHW and NHWC are the same memory, and only the strides of the weights tell libtorch
// which one its result shall have.
func TestChannelsLastWithOneChannel(t *testing.T) {
	if err := torch.SetKernels("libtorch", ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = torch.SetKernels("auto", "") }()
	s := torch.NewScope()
	defer s.Close()
	conv := nn.Conv2d(1, 4, 3, 1, 1, 1, 1, true, "zeros")
	x := torch.RandN([]int64{2, 1, 5, 5}, false)
	if conv.Forward(x).IsChannelsLast() {
		t.Error("the result is NHWC before anyone asked")
	}
	if y := torch.Conv2d(x.ChannelsLast(), conv.Weight, conv.Bias, []int64{1, 1}, []int64{1, 1}, []int64{1, 1}, 1); !y.IsChannelsLast() {
		t.Error("the result of an input in NHWC is not")
	}
	conv.ToChannelsLast()
	if !conv.Forward(x).IsChannelsLast() {
		t.Error("the result of weights in NHWC is not")
	}
}
