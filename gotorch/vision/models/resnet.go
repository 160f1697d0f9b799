package models

import (
	"fmt"
	"reflect"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

// BasicBlockModule is the residual block of ResNet-18 and -34 (He et al., 2016): two 3x3
// convolutions.
type BasicBlockModule struct {
	nn.Module
	C1         *nn.Conv2dModule      `gotorch:"conv1"`
	BN1        *nn.BatchNorm2dModule `gotorch:"bn1"`
	C2         *nn.Conv2dModule      `gotorch:"conv2"`
	BN2        *nn.BatchNorm2dModule `gotorch:"bn2"`
	Downsample *nn.SequentialModule  // fits the shortcut to the output, or nil
}

// BasicBlock returns a block from inplanes to planes channels. groups, baseWidth and dilation are
// 1, 64 and 1: this block knows no others.
func BasicBlock(inplanes, planes, stride int64, downsample *nn.SequentialModule,
	groups, baseWidth, dilation int64) *BasicBlockModule {
	if groups != 1 || baseWidth != 64 || dilation != 1 {
		panic(&torch.Error{Op: "BasicBlock", Message: fmt.Sprintf(
			"groups, baseWidth and dilation must be 1, 64 and 1, they are %d, %d and %d", groups, baseWidth, dilation)})
	}
	b := &BasicBlockModule{
		C1: conv(inplanes, planes, 3, stride, 1, 1), BN1: norm(planes),
		C2: conv(planes, planes, 3, 1, 1, 1), BN2: norm(planes),
		Downsample: downsample,
	}
	b.Init(b)
	return b
}

// Forward takes (N, inplanes, H, W) to (N, planes, H/stride, W/stride).
func (b *BasicBlockModule) Forward(x torch.Tensor) torch.Tensor {
	return nn.Run(x, shortcut(b.Downsample, x), b.C1, b.BN1, relu, b.C2, b.BN2, relu)
}

// relu is the function of every block.
var relu = nn.ReLU()

// BottleneckModule is the residual block of ResNet-50 and deeper: 1x1, 3x3 and 1x1 convolutions. The
// stride is at the 3x3 one, as in torchvision.
type BottleneckModule struct {
	nn.Module
	C1         *nn.Conv2dModule      `gotorch:"conv1"`
	BN1        *nn.BatchNorm2dModule `gotorch:"bn1"`
	C2         *nn.Conv2dModule      `gotorch:"conv2"`
	BN2        *nn.BatchNorm2dModule `gotorch:"bn2"`
	C3         *nn.Conv2dModule      `gotorch:"conv3"`
	BN3        *nn.BatchNorm2dModule `gotorch:"bn3"`
	Downsample *nn.SequentialModule  // fits the shortcut to the output, or nil
}

// Bottleneck returns a block from inplanes to 4*planes channels.
func Bottleneck(inplanes, planes, stride int64, downsample *nn.SequentialModule,
	groups, baseWidth, dilation int64) *BottleneckModule {
	width := planes * baseWidth / 64 * groups
	b := &BottleneckModule{
		C1: conv(inplanes, width, 1, 1, 1, 1), BN1: norm(width),
		C2: conv(width, width, 3, stride, dilation, groups), BN2: norm(width),
		C3: conv(width, 4*planes, 1, 1, 1, 1), BN3: norm(4 * planes),
		Downsample: downsample,
	}
	b.Init(b)
	return b
}

// Forward takes (N, inplanes, H, W) to (N, 4*planes, H/stride, W/stride).
func (b *BottleneckModule) Forward(x torch.Tensor) torch.Tensor {
	return nn.Run(x, shortcut(b.Downsample, x), b.C1, b.BN1, relu, b.C2, b.BN2, relu, b.C3, b.BN3, relu)
}

func shortcut(downsample *nn.SequentialModule, x torch.Tensor) torch.Tensor {
	if downsample == nil {
		return x
	}
	return downsample.Forward(x).(torch.Tensor)
}

// conv is a convolution without bias that keeps the size at stride 1.
func conv(in, out, kernel, stride, dilation, groups int64) *nn.Conv2dModule {
	return nn.Conv2d(in, out, kernel, stride, dilation*(kernel-1)/2, dilation, groups, false, "zeros")
}

func norm(channels int64) *nn.BatchNorm2dModule {
	return nn.BatchNorm2d(channels, 1e-5, 0.1, true, true)
}

// ResnetModule is a residual network for pictures (N, 3, H, W), made for 224x224.
type ResnetModule struct {
	nn.Module
	C1                                    *nn.Conv2dModule      `gotorch:"conv1"`
	BN1                                   *nn.BatchNorm2dModule `gotorch:"bn1"`
	L1                                    *nn.SequentialModule  `gotorch:"layer1"`
	L2                                    *nn.SequentialModule  `gotorch:"layer2"`
	L3                                    *nn.SequentialModule  `gotorch:"layer3"`
	L4                                    *nn.SequentialModule  `gotorch:"layer4"`
	FC                                    *nn.LinearModule
	Block                                 reflect.Type
	Inplanes, Groups, BaseWidth, Dilation int64
}

// Resnet returns a network of blocks (the type BasicBlockModule or BottleneckModule), layers[i] of
// them in the i-th of four stages, initialised as torchvision does. zeroInitResidual starts each
// block as the identity.
func Resnet(block reflect.Type, layers []int64, numClasses int64, zeroInitResidual bool,
	groups, widthPerGroup int64) *ResnetModule {
	if len(layers) != 4 {
		panic(&torch.Error{Op: "Resnet", Message: fmt.Sprintf("expected the sizes of four stages, found %v", layers)})
	}
	r := &ResnetModule{
		C1: nn.Conv2d(3, 64, 7, 2, 3, 1, 1, false, "zeros"), BN1: norm(64),
		Block: block, Inplanes: 64, Groups: groups, BaseWidth: widthPerGroup, Dilation: 1,
	}
	r.L1 = r.stage(64, layers[0], 1)
	r.L2 = r.stage(128, layers[1], 2)
	r.L3 = r.stage(256, layers[2], 2)
	r.L4 = r.stage(512, layers[3], 2)
	r.FC = nn.Linear(512*expansion(block), numClasses, true)
	r.Init(r)
	r.Apply(func(m nn.IModule) {
		switch m := m.(*nn.Module).Outer().(type) {
		case *nn.Conv2dModule:
			initializer.KaimingNormal(&m.Weight, 0, "fan_out", "relu")
		case *BasicBlockModule:
			if zeroInitResidual {
				initializer.Zeros(&m.BN2.Weight)
			}
		case *BottleneckModule:
			if zeroInitResidual {
				initializer.Zeros(&m.BN3.Weight)
			}
		}
	})
	return r
}

// expansion is the ratio of a block's output channels to its planes.
func expansion(block reflect.Type) int64 {
	switch block {
	case reflect.TypeFor[BasicBlockModule]():
		return 1
	case reflect.TypeFor[BottleneckModule]():
		return 4
	}
	panic(&torch.Error{Op: "Resnet", Message: fmt.Sprintf("expected BasicBlockModule or BottleneckModule, found %v", block)})
}

func (r *ResnetModule) stage(planes, blocks, stride int64) *nn.SequentialModule {
	out := planes * expansion(r.Block)
	var downsample *nn.SequentialModule
	if stride != 1 || r.Inplanes != out {
		downsample = nn.Sequential(conv(r.Inplanes, out, 1, stride, 1, 1), norm(out))
	}
	var list []nn.IModule
	for i := int64(0); i < blocks; i++ {
		if r.Block == reflect.TypeFor[BasicBlockModule]() {
			list = append(list, BasicBlock(r.Inplanes, planes, stride, downsample, r.Groups, r.BaseWidth, r.Dilation))
		} else {
			list = append(list, Bottleneck(r.Inplanes, planes, stride, downsample, r.Groups, r.BaseWidth, r.Dilation))
		}
		r.Inplanes, stride, downsample = out, 1, nil
	}
	return nn.Sequential(list...)
}

// Forward takes pictures (N, 3, H, W) to logits (N, numClasses).
func (r *ResnetModule) Forward(x torch.Tensor) torch.Tensor {
	x = nn.Run(x, torch.Tensor{}, r.C1, r.BN1, relu)
	x = F.MaxPool2d(x, []int64{3, 3}, []int64{2, 2}, []int64{1, 1}, []int64{1, 1}, false)
	for _, stage := range []*nn.SequentialModule{r.L1, r.L2, r.L3, r.L4} {
		x = stage.Forward(x).(torch.Tensor)
	}
	x = F.AdaptiveAvgPool2d(x, []int64{1, 1})
	return r.FC.Forward(torch.Flatten(x, 1, -1))
}

// Resnet18 returns a ResNet-18 for 1000 classes.
func Resnet18() *ResnetModule {
	return Resnet(reflect.TypeFor[BasicBlockModule](), []int64{2, 2, 2, 2}, 1000, false, 1, 64)
}

// Resnet50 returns a ResNet-50 for 1000 classes.
func Resnet50() *ResnetModule {
	return Resnet(reflect.TypeFor[BottleneckModule](), []int64{3, 4, 6, 3}, 1000, false, 1, 64)
}
