package models

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

// A mobileRow is a block of MobileNetV3's tables 1 and 2 (Howard et al., 2019).
type mobileRow struct {
	kernel, wide, out int64
	squeeze, swish    bool
	stride            int64
}

var (
	mobileLarge = []mobileRow{
		{3, 16, 16, false, false, 1},
		{3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
		{5, 72, 40, true, false, 2}, {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
		{3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1}, {3, 184, 80, false, true, 1},
		{3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
		{5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1},
	}
	mobileSmall = []mobileRow{
		{3, 16, 16, true, false, 2},
		{3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
		{5, 96, 40, true, true, 2}, {5, 240, 40, true, true, 1}, {5, 240, 40, true, true, 1},
		{5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},
		{5, 288, 96, true, true, 2}, {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1},
	}
)

const mobileStem = 16

// A mobileNetV3 has torchvision's names.
type mobileNetV3 struct {
	nn.Module
	Features   *nn.SequentialModule
	Classifier *nn.SequentialModule
}

// A mobileBlock is an inverted bottleneck, some with squeeze-and-excitation.
type mobileBlock struct {
	nn.Module
	Block    *nn.SequentialModule
	shortcut bool
	drop     float64
}

// Forward takes (N, in, H, W) to (N, out, ceil(H/stride), ceil(W/stride)).
func (b *mobileBlock) Forward(x torch.Tensor) torch.Tensor {
	y := b.Block.Forward(x).(torch.Tensor)
	if !b.shortcut {
		return y
	}
	return dropPath(y, b.drop, b.IsTraining()).Add(x, 1)
}

// mobileNet builds the rows; last is the width between the classifier's two layers.
func mobileNet(rows []mobileRow, last int64) func(Options) (*network, error) {
	return func(o Options) (*network, error) {
		features := []nn.IModule{mobileConv(3, mobileStem, 3, 2, 1, nn.Hardswish())}
		in := int64(mobileStem)
		for i, row := range rows {
			b := newMobileBlock(in, row)
			b.drop = o.DropPath * float64(i) / float64(len(rows))
			features, in = append(features, b), row.out
		}
		features = append(features, mobileConv(in, 6*in, 1, 1, 1, nn.Hardswish()))
		m := &mobileNetV3{
			Features:   nn.Sequential(features...),
			Classifier: nn.Sequential(nn.Linear(6*in, last, true), nn.Hardswish(), nn.Dropout(o.Dropout), nn.Linear(last, int64(o.Classes), true)),
		}
		m.Init(m)
		initialise(m, initialiseMobile)
		return m.network(rows), nil
	}
}

// network cuts the features where the maps are halved; the classifier is the head.
func (m *mobileNetV3) network(rows []mobileRow) *network {
	layers := m.Features.Modules
	cuts := []int{0}
	for i, row := range rows {
		if row.stride == 2 && i > 0 {
			cuts = append(cuts, i+1)
		}
	}
	cuts = append(cuts, len(layers))
	var stages []Stage
	var forward []func(torch.Tensor) torch.Tensor
	for i := range len(cuts) - 1 {
		part := layers[cuts[i]:cuts[i+1]]
		stages = append(stages, Stage{fmt.Sprintf("features%d-%d", cuts[i], cuts[i+1]-1), part})
		forward = append(forward, func(x torch.Tensor) torch.Tensor { return nn.Sequential(part...).Forward(x).(torch.Tensor) })
	}
	stages = append(stages, Stage{"classifier", []nn.IModule{m.Classifier}})
	forward = append(forward, func(x torch.Tensor) torch.Tensor { return m.Classifier.Forward(pooledVector(x)).(torch.Tensor) })
	return newNetwork(m, stages, forward)
}

func newMobileBlock(in int64, row mobileRow) *mobileBlock {
	act := func() nn.IModule {
		if row.swish {
			return nn.Hardswish()
		}
		return nn.ReLU()
	}
	var layers []nn.IModule
	if row.wide != in {
		layers = append(layers, mobileConv(in, row.wide, 1, 1, 1, act()))
	}
	layers = append(layers, mobileConv(row.wide, row.wide, row.kernel, row.stride, row.wide, act()))
	if row.squeeze {
		layers = append(layers, newSqueezeExcitation(row.wide, makeDivisible(float64(row.wide/4), 8)))
	}
	layers = append(layers, mobileConv(row.wide, row.out, 1, 1, 1, nil))
	b := &mobileBlock{Block: nn.Sequential(layers...), shortcut: row.stride == 1 && in == row.out}
	b.Init(b)
	return b
}

// mobileConv is a convolution with BatchNorm and, unless act is nil, an activation.
func mobileConv(in, out, kernel, stride, groups int64, act nn.IModule) *nn.SequentialModule {
	layers := []nn.IModule{nn.Conv2d(in, out, kernel, stride, kernel/2, 1, groups, false, "zeros"), nn.BatchNorm2d(out, 1e-3, 0.01, true, true)}
	if act != nil {
		layers = append(layers, act)
	}
	return nn.Sequential(layers...)
}

// initialiseMobile draws as torchvision does.
func initialiseMobile(m nn.IModule) {
	switch m := m.(type) {
	case *nn.Conv2dModule:
		initializer.KaimingNormal(&m.Weight, 0, "fan_out", "leaky_relu")
		zeros(&m.Bias)
	case *nn.LinearModule:
		initializer.Normal(&m.Weight, 0, 0.01)
		zeros(&m.Bias)
	}
}
