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

// chain gathers the convolutions that modules begin with, each with a ReLU and a BatchNorm2d that
// follow it in either order, into the stages of one torch.ConvChain. n is how many modules those are.
func chain(modules []IModule) (stages []torch.ConvStage, n int) {
	for n < len(modules) {
		conv, ok := modules[n].(*Conv2dModule)
		if !ok || conv.PaddingMode != "zeros" {
			break
		}
		n++
		stage := conv.stage()
		var norm *BatchNorm2dModule
		relu := false
		for n < len(modules) {
			if m, ok := modules[n].(*BatchNorm2dModule); ok && norm == nil {
				norm = m
			} else if _, ok := modules[n].(*ReLUModule); ok && !relu {
				relu = true
			} else {
				break
			}
			stage.Order = order(stage.Order, norm != nil, relu)
			n++
		}
		if norm != nil {
			norm.complete(&stage)
		}
		stages = append(stages, stage)
	}
	return stages, n
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
		Stride: both(c.Stride), Padding: both(c.Padding), Dilation: both(c.Dilation),
	}
}

// complete adds the normalisation to a stage and counts the step, as Forward does.
func (b *BatchNorm2dModule) complete(stage *torch.ConvStage) {
	stage.Gamma, stage.Beta, stage.Momentum, stage.Eps = b.Weight, b.Bias, b.Momentum, b.Eps
	stage.Training = b.countStep()
	if b.TrackRunningStats {
		stage.RunningMean, stage.RunningVar = b.RunningMean, b.RunningVar
	}
}
