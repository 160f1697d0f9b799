package models

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// speednet is the network that reaches 94 % on CIFAR-10 in the fewest seconds (Jordan's airbench94_muon, 2024): a
// whitening of 2x2 patches with GELU, three groups of two 3x3 convolutions, each group halving by max pooling, the
// largest value of each map, and a linear layer whose logits are means over the features. It is made for pictures of 32
// pixels, which go 31, 15, 7, 3; at least 9 are needed.
func speednet(o Options) (*network, error) {
	width := func(c int64) int64 { return makeDivisible(float64(c)*o.Width, 8) }
	m := &speedy{Whiten: newWhitening(3, 2)}
	stages := []Stage{{"whiten", []nn.IModule{m.Whiten}}}
	forward := []func(torch.Tensor) torch.Tensor{func(x torch.Tensor) torch.Tensor { return m.Whiten.Forward(x).Gelu("none") }}
	channels := m.Whiten.Bias.Numel()
	for i, wide := range []int64{width(64), width(256), width(256)} {
		g := newSpeedGroup(channels, wide)
		m.Groups, channels = append(m.Groups, g), wide
		stages, forward = append(stages, Stage{fmt.Sprintf("group%d", i+1), []nn.IModule{g}}), append(forward, g.Forward)
	}
	m.Head = nn.Linear(channels, int64(o.Classes), false)
	torch.NoGrad(func() { m.Head.Weight.DivI(m.Head.Weight.Std([]int64{0, 1}, 1, false)) })
	m.Init(m)
	stages = append(stages, Stage{"head", []nn.IModule{m.Head}})
	return newNetwork(m, stages, append(forward, func(x torch.Tensor) torch.Tensor {
		x = F.AdaptiveMaxPool2d(x, []int64{1, 1}).Flatten(1, -1)
		return m.Head.Forward(F.Dropout(x, o.Dropout, m.IsTraining())).DivScalar(float64(channels))
	})), nil
}

// speedy holds speednet's parts under their names.
type speedy struct {
	nn.Module
	Whiten *Whitening
	Groups []*speedGroup
	Head   *nn.LinearModule
}

// A speedGroup halves the maps of (N, in, H, W) and gives them out channels.
type speedGroup struct {
	nn.Module
	Conv1 *nn.Conv2dModule
	Norm1 *biasNorm
	Conv2 *nn.Conv2dModule
	Norm2 *biasNorm
}

func newSpeedGroup(in, out int64) *speedGroup {
	g := &speedGroup{Conv1: diracConv(in, out), Norm1: newBiasNorm(out), Conv2: diracConv(out, out), Norm2: newBiasNorm(out)}
	g.Init(g)
	return g
}

func (g *speedGroup) Forward(x torch.Tensor) torch.Tensor {
	y := F.MaxPool2d(g.Conv1.Forward(x), []int64{2, 2}, []int64{2, 2}, []int64{0, 0}, []int64{1, 1}, false)
	y = g.Norm1.Forward(y).Gelu("none")
	return g.Norm2.Forward(g.Conv2.Forward(y)).Gelu("none")
}

// diracConv is a 3x3 convolution whose first outputs, as many as there are inputs, begin as copies of those; the others
// have PyTorch's initialisation.
func diracConv(in, out int64) *nn.Conv2dModule {
	c := nn.Conv2d(in, out, 3, 1, 1, 1, 1, false, "zeros")
	torch.NoGrad(func() {
		copies := c.Weight.Narrow(0, 0, min(in, out))
		copies.ZeroI()
		for i := range min(in, out) {
			copies.Select(0, i).Select(0, i).Select(0, 1).Select(0, 1).FillI(1)
		}
	})
	return c
}

// A biasNorm is a BatchNorm whose scale stays 1. Its running statistics follow each batch by four tenths, which suits
// trainings of few steps.
type biasNorm struct {
	nn.Module
	Weight            torch.Tensor `gotorch:"buffer"` // (channels), ones
	Bias              torch.Tensor // (channels)
	RunningMean       torch.Tensor `gotorch:"buffer"` // (channels)
	RunningVar        torch.Tensor `gotorch:"buffer"` // (channels)
	NumBatchesTracked torch.Tensor `gotorch:"buffer"` // Long, 0-dim: training steps seen
}

const (
	biasNormMomentum = 0.4
	biasNormEps      = 1e-12
)

func newBiasNorm(channels int64) *biasNorm {
	shape := []int64{channels}
	b := &biasNorm{
		Weight: torch.Ones(shape, false), Bias: torch.Zeros(shape, true), RunningMean: torch.Zeros(shape, false), RunningVar: torch.Ones(shape, false),
		NumBatchesTracked: torch.ZerosOf(nil, torch.Long),
	}
	b.Init(b)
	return b
}

func (b *biasNorm) Forward(x torch.Tensor) torch.Tensor {
	if b.IsTraining() {
		b.NumBatchesTracked.AddScalarI(1)
	}
	return b.Forwarded(x, F.BatchNorm(x, b.RunningMean, b.RunningVar, b.Weight, b.Bias, b.IsTraining(), biasNormMomentum, biasNormEps))
}
