package models

import (
	"reflect"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	vision "github.com/wangkuiyi/gotorch/vision/models"
)

// resnet is gotorch's ResNet (He et al., 2016), which has torchvision's names, with a head of o.Classes.
func resnet(bottleneck bool, layers ...int64) func(Options) (*network, error) {
	block := reflect.TypeFor[vision.BasicBlockModule]()
	if bottleneck {
		block = reflect.TypeFor[vision.BottleneckModule]()
	}
	return func(o Options) (*network, error) {
		r := vision.Resnet(block, layers, int64(o.Classes), false, 1, 64)
		stages := []Stage{{"stem", []nn.IModule{r.C1, r.BN1}}}
		forward := []func(torch.Tensor) torch.Tensor{func(x torch.Tensor) torch.Tensor {
			x = F.Relu(r.BN1.Forward(r.C1.Forward(x)), true)
			return F.MaxPool2d(x, []int64{3, 3}, []int64{2, 2}, []int64{1, 1}, []int64{1, 1}, false)
		}}
		for i, layer := range []*nn.SequentialModule{r.L1, r.L2, r.L3, r.L4} {
			stages = append(stages, Stage{"layer" + string(rune('1'+i)), []nn.IModule{layer}})
			forward = append(forward, func(x torch.Tensor) torch.Tensor { return layer.Forward(x).(torch.Tensor) })
		}
		stages = append(stages, Stage{"fc", []nn.IModule{r.FC}})
		forward = append(forward, func(x torch.Tensor) torch.Tensor {
			return r.FC.Forward(F.Dropout(pooledVector(x), o.Dropout, r.IsTraining()))
		})
		return newNetwork(r, stages, forward), nil
	}
}

// resnet9 is the small residual network that DAWNBench's CIFAR-10 winners trained in seconds (Page,
// 2018): eight 3x3 convolutions with BatchNorm, two of them in residual pairs, each halving by max
// pooling; logits times 0.125. It is made for pictures of 32 pixels.
func resnet9(o Options) (*network, error) {
	pool := func() nn.IModule { return nn.MaxPool2d(2, 2, 0, 1, false) }
	double := func(in, out int64) *nn.SequentialModule {
		return nn.Sequential(append(convNormReLU(in, out), pool())...)
	}
	width := func(c int64) int64 { return makeDivisible(float64(c)*o.Width, 8) }
	prep := nn.Sequential(convNormReLU(3, width(64))...)
	layer1 := nn.Sequential(double(width(64), width(128)), newResidual(width(128)))
	layer2 := double(width(128), width(256))
	layer3 := nn.Sequential(double(width(256), width(512)), newResidual(width(512)))
	m := &fastResidual{Prep: prep, Layer1: layer1, Layer2: layer2, Layer3: layer3, FC: nn.Linear(width(512), int64(o.Classes), false)}
	m.Init(m)
	seq := func(s *nn.SequentialModule) func(torch.Tensor) torch.Tensor {
		return func(x torch.Tensor) torch.Tensor { return s.Forward(x).(torch.Tensor) }
	}
	return newNetwork(m,
		[]Stage{{"prep", []nn.IModule{prep}}, {"layer1", []nn.IModule{layer1}}, {"layer2", []nn.IModule{layer2}}, {"layer3", []nn.IModule{layer3}}, {"fc", []nn.IModule{m.FC}}},
		[]func(torch.Tensor) torch.Tensor{seq(prep), seq(layer1), seq(layer2), seq(layer3), func(x torch.Tensor) torch.Tensor {
			x = F.AdaptiveMaxPool2d(x, []int64{1, 1}).Flatten(1, -1)
			return m.FC.Forward(F.Dropout(x, o.Dropout, m.IsTraining())).MulScalar(0.125)
		}}), nil
}

// fastResidual holds resnet9's parts under their names.
type fastResidual struct {
	nn.Module
	Prep, Layer1, Layer2, Layer3 *nn.SequentialModule
	FC                           *nn.LinearModule
}

func convNormReLU(in, out int64) []nn.IModule {
	return []nn.IModule{nn.Conv2d(in, out, 3, 1, 1, 1, 1, false, "zeros"), nn.BatchNorm2d(out, 1e-5, 0.1, true, true), nn.ReLU()}
}

// A residual adds two convolutions' result to their input.
type residual struct {
	nn.Module
	Block *nn.SequentialModule
}

func newResidual(channels int64) *residual {
	r := &residual{Block: nn.Sequential(append(convNormReLU(channels, channels), convNormReLU(channels, channels)...)...)}
	r.Init(r)
	return r
}

func (r *residual) Forward(x torch.Tensor) torch.Tensor {
	return x.Add(r.Block.Forward(x).(torch.Tensor), 1)
}
