package models

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

// convNeXtEps is the LayerNorms'.
const convNeXtEps = 1e-6

// A convNeXt has torchvision's names (Liu et al., 2022).
type convNeXt struct {
	nn.Module
	Features   *nn.SequentialModule
	Classifier *nn.SequentialModule
}

// A convNeXtBlock mixes pixels with a 7x7 depthwise convolution and channels with two linear layers.
type convNeXtBlock struct {
	nn.Module
	LayerScale torch.Tensor // (C, 1, 1)
	Block      *nn.SequentialModule
	drop       float64
}

func newConvNeXtBlock(channels int64, drop float64) *convNeXtBlock {
	b := &convNeXtBlock{
		LayerScale: torch.Full([]int64{channels, 1, 1}, 1e-6, true),
		Block: nn.Sequential(
			nn.Conv2d(channels, channels, 7, 1, 3, 1, channels, true, "zeros"), newPermute(0, 2, 3, 1),
			nn.LayerNorm([]int64{channels}, convNeXtEps, true), nn.Linear(channels, 4*channels, true), nn.GELU(), nn.Linear(4*channels, channels, true),
			newPermute(0, 3, 1, 2)),
		drop: drop,
	}
	b.Init(b)
	return b
}

// Forward keeps the shape (N, C, H, W).
func (b *convNeXtBlock) Forward(x torch.Tensor) torch.Tensor {
	y := b.LayerScale.Mul(b.Block.Forward(x).(torch.Tensor))
	return dropPath(y, b.drop, b.IsTraining()).Add(x, 1)
}

// convNeXtOf builds depths[i] blocks of widths[i] channels in stage i.
func convNeXtOf(depths []int, widths []int64) func(Options) (*network, error) {
	return func(o Options) (*network, error) {
		layers := []nn.IModule{nn.Sequential(nn.Conv2d(3, widths[0], 4, 4, 0, 1, 1, true, "zeros"), newLayerNorm2d(widths[0], convNeXtEps))}
		total, n := -1, 0
		for _, d := range depths {
			total += d
		}
		for i, depth := range depths {
			if i > 0 {
				layers = append(layers, nn.Sequential(newLayerNorm2d(widths[i-1], convNeXtEps), nn.Conv2d(widths[i-1], widths[i], 2, 2, 0, 1, 1, true, "zeros")))
			}
			var blocks []nn.IModule
			for range depth {
				blocks = append(blocks, newConvNeXtBlock(widths[i], o.DropPath*float64(n)/float64(total)))
				n++
			}
			layers = append(layers, nn.Sequential(blocks...))
		}
		last := widths[len(widths)-1]
		m := &convNeXt{
			Features:   nn.Sequential(layers...),
			Classifier: nn.Sequential(newLayerNorm2d(last, convNeXtEps), nn.Flatten(), nn.Linear(last, int64(o.Classes), true)),
		}
		m.Init(m)
		initialise(m, initialiseConvNeXt)
		return m.network(o), nil
	}
}

// network has a stage for each width: what shrinks the maps, and the blocks behind it.
func (m *convNeXt) network(o Options) *network {
	layers := m.Features.Modules
	var stages []Stage
	var forward []func(torch.Tensor) torch.Tensor
	for i := 0; i < len(layers); i += 2 {
		part := layers[i : i+2]
		stages = append(stages, Stage{fmt.Sprintf("features%d-%d", i, i+1), part})
		forward = append(forward, func(x torch.Tensor) torch.Tensor { return nn.Sequential(part...).Forward(x).(torch.Tensor) })
	}
	head := m.Classifier.Modules
	stages = append(stages, Stage{"classifier", []nn.IModule{m.Classifier}})
	forward = append(forward, func(x torch.Tensor) torch.Tensor {
		x = nn.Sequential(head[:2]...).Forward(torch.AdaptiveAvgPool2d(x, []int64{1, 1})).(torch.Tensor)
		return head[2].(*nn.LinearModule).Forward(torch.Dropout(x, o.Dropout, m.IsTraining()))
	})
	return newNetwork(m, stages, forward)
}

// initialiseConvNeXt draws as torchvision does.
func initialiseConvNeXt(m nn.IModule) {
	switch m := m.(type) {
	case *nn.Conv2dModule:
		initializer.TruncNormal(&m.Weight, 0, 0.02, -2, 2)
		zeros(&m.Bias)
	case *nn.LinearModule:
		initializer.TruncNormal(&m.Weight, 0, 0.02, -2, 2)
		zeros(&m.Bias)
	}
}
