package models

import (
	"fmt"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

// activations are the functions that --activation and layer files know.
var activations = map[string]func() nn.IModule{
	"relu":       func() nn.IModule { return nn.ReLU() },
	"relu6":      func() nn.IModule { return nn.ReLU6() },
	"leaky_relu": func() nn.IModule { return nn.LeakyReLU(0.01) },
	"elu":        func() nn.IModule { return nn.ELU(1) },
	"gelu":       func() nn.IModule { return nn.GELU() },
	"silu":       func() nn.IModule { return nn.SiLU() },
	"mish":       func() nn.IModule { return nn.Mish() },
	"hardswish":  func() nn.IModule { return nn.Hardswish() },
	"sigmoid":    func() nn.IModule { return nn.Sigmoid() },
	"tanh":       func() nn.IModule { return nn.Tanh() },
}

// ActivationNames lists the activations that Options and layer files know.
func ActivationNames() []string {
	names := make([]string, 0, len(activations))
	for name := range activations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func activation(name string) (func() nn.IModule, error) {
	make, ok := activations[name]
	if !ok {
		return nil, fmt.Errorf("activation is %q; it must be one of %s", name, strings.Join(ActivationNames(), ", "))
	}
	return make, nil
}

// makeDivisible rounds channels to a multiple of divisor, not below nine tenths of them (Howard et
// al., MobileNetV3; TensorFlow's models).
func makeDivisible(channels float64, divisor int64) int64 {
	rounded := max(divisor, int64(channels+float64(divisor)/2)/divisor*divisor)
	if float64(rounded) < 0.9*channels {
		rounded += divisor
	}
	return rounded
}

// dropPath is stochastic depth (Huang et al., 2016): in training each picture's branch is left out
// with probability p, the others are scaled by 1/(1-p).
func dropPath(x torch.Tensor, p float64, training bool) torch.Tensor {
	if !training || p == 0 {
		return x
	}
	shape := make([]int64, x.Dim())
	for i := range shape {
		shape[i] = 1
	}
	shape[0] = x.Shape()[0]
	kept := torch.FullOf(shape, 1-p, x.Dtype()).To(x.Device()).Bernoulli()
	return x.Mul(kept.DivScalar(1 - p))
}

// A layerNorm2d normalises each pixel of (N, C, H, W) over its channels.
type layerNorm2d struct {
	nn.Module
	Weight, Bias torch.Tensor // (C)
	eps          float64
}

func newLayerNorm2d(channels int64, eps float64) *layerNorm2d {
	l := &layerNorm2d{Weight: torch.Ones([]int64{channels}, true), Bias: torch.Zeros([]int64{channels}, true), eps: eps}
	l.Init(l)
	return l
}

func (l *layerNorm2d) Forward(x torch.Tensor) torch.Tensor {
	y := torch.LayerNorm(x.Permute([]int64{0, 2, 3, 1}), l.Weight.Shape(), l.Weight, l.Bias, l.eps)
	return l.Forwarded(x, y.Permute([]int64{0, 3, 1, 2}))
}

// A permute reorders dimensions.
type permute struct {
	nn.Module
	dims []int64
}

func newPermute(dims ...int64) *permute {
	p := &permute{dims: dims}
	p.Init(p)
	return p
}

func (p *permute) Forward(x torch.Tensor) torch.Tensor { return x.Permute(p.dims) }

// A squeezeExcitation weighs channels by what is in all of the picture (Hu et al., 2018).
type squeezeExcitation struct {
	nn.Module
	FC1, FC2 *nn.Conv2dModule
}

func newSqueezeExcitation(channels, squeezed int64) *squeezeExcitation {
	s := &squeezeExcitation{
		FC1: nn.Conv2d(channels, squeezed, 1, 1, 0, 1, 1, true, "zeros"),
		FC2: nn.Conv2d(squeezed, channels, 1, 1, 0, 1, 1, true, "zeros"),
	}
	s.Init(s)
	return s
}

func (s *squeezeExcitation) Forward(x torch.Tensor) torch.Tensor {
	y := torch.AdaptiveAvgPool2d(x, []int64{1, 1})
	return s.Forwarded(x, x.Mul(s.FC2.Forward(s.FC1.Forward(y).Relu()).Hardsigmoid()))
}

// pooledVector takes maps (N, C, H, W) to their means (N, C).
func pooledVector(x torch.Tensor) torch.Tensor {
	return torch.AdaptiveAvgPool2d(x, []int64{1, 1}).Flatten(1, -1)
}

// initialise calls f with every module of a network.
func initialise(m nn.IModule, f func(nn.IModule)) {
	m.Apply(func(inner nn.IModule) { f(inner.(*nn.Module).Outer()) })
}

func zeros(t *torch.Tensor) {
	if t.T != nil {
		initializer.Zeros(t)
	}
}
