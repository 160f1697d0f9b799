package nn

import (
	"math"

	torch "github.com/wangkuiyi/gotorch"
)

// leaves lists what a Sequential runs, with the modules of Sequentials inside it in their place.
func (s *SequentialModule) leaves(list []IModule) []IModule {
	for _, m := range s.Modules {
		if inner, ok := m.(*SequentialModule); ok {
			list = inner.leaves(list)
		} else {
			list = append(list, m)
		}
	}
	return list
}

// link is a convolution and what belongs to one stage with it: a ReLU and a BatchNorm2d, either first.
type link struct {
	conv  *Conv2dModule
	norm  *BatchNorm2dModule // nil without one
	order torch.ConvOrder
	cap   float64 // 6 if the ReLU is a ReLU6
	n     int     // the modules that these are
}

// Run feeds x (N, C, H, W) through convolutions, each with a BatchNorm2d and a ReLU or ReLU6 behind it or
// not, as one torch.ConvChain: for blocks that keep them in fields of their own. residual, of the result's
// shape, is added at the end, or before a ReLU that ends on a BatchNorm2d, as ResNet's blocks have it; pass
// torch.Tensor{} for none. The result is not to be changed in place.
func Run(x, residual torch.Tensor, modules ...IModule) torch.Tensor {
	if hooked(modules) {
		return oneByOne(x, residual, modules)
	}
	var stages []torch.ConvStage
	for n := 0; n < len(modules); {
		l := linkAt(modules[n:])
		must(l.n > 0, "module %d of Run, %T, does not belong to a convolution with zeros around it", n, modules[n])
		stages, n = append(stages, l.stage()), n+l.n
	}
	return torch.ConvChain(x, stages, residual)
}

// oneByOne is Run for modules with hooks.
func oneByOne(x, residual torch.Tensor, modules []IModule) torch.Tensor {
	last := len(modules) - 1
	closing := 0
	if _, norm := modules[max(0, last-1)].(*BatchNorm2dModule); norm && isReLU(modules[last]) > 0 {
		closing = 1
	}
	forward := func(list []IModule) {
		for _, m := range list {
			x = m.(interface {
				Forward(torch.Tensor) torch.Tensor
			}).Forward(x)
		}
	}
	forward(modules[:len(modules)-closing])
	if residual.T != nil {
		x = x.Add(residual, 1)
	}
	forward(modules[len(modules)-closing:])
	return x
}

// isReLU is the cap of a ReLU or ReLU6, 0 of other modules.
func isReLU(m IModule) float64 {
	switch m := m.(type) {
	case *ReLUModule:
		return math.Inf(1)
	case *ActivationModule:
		if m.Function == "ReLU6" {
			return 6
		}
	}
	return 0
}

func (l link) stage() torch.ConvStage {
	stage := l.conv.stage()
	stage.Order, stage.ReLUCap = l.order, l.cap
	if l.norm != nil {
		l.norm.complete(&stage)
	}
	return stage
}

// chain gathers the convolutions that modules begin with into the stages of one torch.ConvChain. n is how
// many modules those are. The last link runs on its own when what follows may change its result in place,
// as PyTorch allows after a convolution and after a BatchNorm2d: the backward pass of the chain needs it.
func chain(modules []IModule) (stages []torch.ConvStage, n int) {
	var links []link
	for n < len(modules) {
		l := linkAt(modules[n:])
		if l.n == 0 {
			break
		}
		links = append(links, l)
		n += l.n
	}
	if last := len(links) - 1; last >= 0 && !endsInReLU(links[last].order) && changesInPlace(modules[n:]) {
		n -= links[last].n
		links = links[:last]
	}
	for _, l := range links {
		stages = append(stages, l.stage())
	}
	return stages, n
}

// linkAt is the link that modules begin with; its n is 0 without one.
func linkAt(modules []IModule) (l link) {
	conv, ok := modules[0].(*Conv2dModule)
	if !ok || conv.PaddingMode != "zeros" {
		return l
	}
	l.conv, l.n = conv, 1
	relu := false
	for ; l.n < len(modules); l.n++ {
		if m, ok := modules[l.n].(*BatchNorm2dModule); ok && l.norm == nil {
			l.norm = m
		} else if cap := isReLU(modules[l.n]); cap > 0 && !relu {
			relu, l.cap = true, cap
		} else {
			break
		}
		l.order = order(l.order, l.norm != nil, relu)
	}
	return l
}

func endsInReLU(o torch.ConvOrder) bool { return o == torch.ConvReLU || o == torch.ConvNormReLU }

// changesInPlace tells whether the modules that follow, or whoever gets the result when none does, may
// change a tensor in place. The modules of this package do not, but some of them pass memory on.
func changesInPlace(rest []IModule) bool {
	for _, m := range rest {
		switch m := m.(type) {
		case *FlattenModule, *DropoutModule:
			continue
		case *ActivationModule:
			if m.Function == "Identity" {
				continue
			}
			return false
		case *Conv2dModule, *ConvTranspose2dModule, *BatchNorm2dModule, *LinearModule, *ReLUModule, *LayerNormModule,
			*GroupNormModule, *MaxPool2dModule, *AvgPool2dModule, *AdaptivePool2dModule:
			return false
		}
		return true
	}
	return true
}

// order is what a stage becomes once it has a BatchNorm, a ReLU or both; before says which came first.
func order(before torch.ConvOrder, norm, relu bool) torch.ConvOrder {
	switch {
	case norm && relu && before == torch.ConvReLU:
		return torch.ConvReLUNorm
	case norm && relu:
		return torch.ConvNormReLU
	case norm:
		return torch.ConvNorm
	default:
		return torch.ConvReLU
	}
}

// stage is the convolution alone.
func (c *Conv2dModule) stage() torch.ConvStage {
	both := func(x int64) [2]int64 { return [2]int64{x, x} }
	return torch.ConvStage{
		Weight: c.Weight, Bias: c.Bias, Groups: c.Groups,
		Stride: both(c.Stride), Padding: both(c.Padding), Dilation: both(c.Dilation), ObserveConv: c.observed(),
	}
}

// complete adds the normalisation to a stage and counts the step, as Forward does.
func (b *BatchNorm2dModule) complete(stage *torch.ConvStage) {
	stage.Gamma, stage.Beta, stage.Momentum, stage.Eps = b.Weight, b.Bias, b.Momentum, b.Eps
	stage.Training = b.countStep()
	stage.ObserveNorm = b.observed()
	if b.TrackRunningStats {
		stage.RunningMean, stage.RunningVar = b.RunningMean, b.RunningVar
	}
}
