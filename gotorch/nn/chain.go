package nn

import torch "github.com/wangkuiyi/gotorch"

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
	n     int // the modules that these are
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
		stage := l.conv.stage()
		stage.Order = l.order
		if l.norm != nil {
			l.norm.complete(&stage)
		}
		stages = append(stages, stage)
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
		} else if _, ok := modules[l.n].(*ReLUModule); ok && !relu {
			relu = true
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
