package models

import (
	"fmt"
	"math"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

// liteStages are EfficientNet's stages: blocks, kernel, stride, expansion, channels (Tan and Le, 2019).
// Lite leaves squeeze-and-excitation out and has ReLU6 for swish; stem and head keep their widths, the
// first and the last stage their depths.
var liteStages = [...]struct{ repeats, kernel, stride, expansion, channels int64 }{
	{1, 3, 1, 1, 16}, {2, 3, 2, 6, 24}, {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80}, {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320},
}

const (
	liteStem = 32
	liteHead = 1280
	// liteEps and liteMomentum are TensorFlow's, in PyTorch's sense of momentum.
	liteEps      = 1e-3
	liteMomentum = 0.01
)

// An efficientNetLite has the names of the PyPI package efficientnet_lite_pytorch.
type efficientNetLite struct {
	nn.Module
	Stem     *nn.Conv2dModule      `gotorch:"_conv_stem"`
	StemNorm *nn.BatchNorm2dModule `gotorch:"_bn0"`
	Blocks   []*invertedBottleneck `gotorch:"_blocks"`
	Head     *nn.Conv2dModule      `gotorch:"_conv_head"`
	HeadNorm *nn.BatchNorm2dModule `gotorch:"_bn1"`
	FC       *nn.LinearModule      `gotorch:"_fc"`
}

// An invertedBottleneck widens, convolves each channel by itself, and narrows (Sandler et al., 2018).
type invertedBottleneck struct {
	nn.Module
	Expand     *nn.Conv2dModule      `gotorch:"_expand_conv"` // none in the first block
	ExpandNorm *nn.BatchNorm2dModule `gotorch:"_bn0"`
	Depthwise  *nn.Conv2dModule      `gotorch:"_depthwise_conv"`
	DepthNorm  *nn.BatchNorm2dModule `gotorch:"_bn1"`
	Project    *nn.Conv2dModule      `gotorch:"_project_conv"`
	OutNorm    *nn.BatchNorm2dModule `gotorch:"_bn2"`

	shortcut bool
	drop     float64 // probability that training leaves the block out
}

// efficientNetLite0 .. 4 differ in the factors of width and depth.
func efficientNetLiteOf(width, depth float64) func(Options) (*network, error) {
	return func(o Options) (*network, error) {
		m := &efficientNetLite{Stem: sameConv(3, liteStem, 3, 2, 1), StemNorm: liteNorm(liteStem)}
		in := int64(liteStem)
		var stages []Stage
		var forward []func(torch.Tensor) torch.Tensor
		total := int64(0)
		for i, s := range liteStages {
			total += liteRepeats(i, s.repeats, depth)
		}
		for i, s := range liteStages {
			out := makeDivisible(float64(s.channels)*width, 8)
			var blocks []*invertedBottleneck
			for j := range liteRepeats(i, s.repeats, depth) {
				stride := s.stride
				if j > 0 {
					stride = 1
				}
				b := newInvertedBottleneck(in, out, s.kernel, stride, s.expansion)
				b.drop = o.DropPath * float64(len(m.Blocks)) / float64(total)
				blocks, m.Blocks, in = append(blocks, b), append(m.Blocks, b), out
			}
			stage := Stage{Name: fmt.Sprintf("blocks%d", i)}
			for _, b := range blocks {
				stage.Modules = append(stage.Modules, b)
			}
			stages = append(stages, stage)
			forward = append(forward, func(x torch.Tensor) torch.Tensor {
				for _, b := range blocks {
					x = b.Forward(x)
				}
				return x
			})
		}
		m.Head, m.HeadNorm = sameConv(in, liteHead, 1, 1, 1), liteNorm(liteHead)
		m.FC = nn.Linear(liteHead, int64(o.Classes), true)
		m.Init(m)
		initialise(m, initialiseLite)
		stem, first := forward[0], stages[0].Modules
		forward[0] = func(x torch.Tensor) torch.Tensor {
			return stem(nn.Run(samePadding(m.Stem, x), torch.Tensor{}, m.Stem, m.StemNorm, relu6))
		}
		stages[0] = Stage{"stem", append([]nn.IModule{m.Stem, m.StemNorm}, first...)}
		last, body := len(stages)-1, forward[len(forward)-1]
		forward[last] = func(x torch.Tensor) torch.Tensor { return nn.Run(body(x), torch.Tensor{}, m.Head, m.HeadNorm, relu6) }
		stages[last].Modules = append(stages[last].Modules, m.Head, m.HeadNorm)
		stages = append(stages, Stage{"fc", []nn.IModule{m.FC}})
		forward = append(forward, func(x torch.Tensor) torch.Tensor {
			return m.FC.Forward(F.Dropout(pooledVector(x), o.Dropout, m.IsTraining()))
		})
		return newNetwork(m, stages, forward), nil
	}
}

// liteRepeats is how many blocks stage i has: depth times its own, except the first and the last.
func liteRepeats(i int, repeats int64, depth float64) int64 {
	if i == 0 || i == len(liteStages)-1 {
		return repeats
	}
	return int64(math.Ceil(depth * float64(repeats)))
}

func newInvertedBottleneck(in, out, kernel, stride, expansion int64) *invertedBottleneck {
	wide := in * expansion
	b := &invertedBottleneck{shortcut: stride == 1 && in == out}
	if expansion != 1 {
		b.Expand, b.ExpandNorm = sameConv(in, wide, 1, 1, 1), liteNorm(wide)
	}
	b.Depthwise, b.DepthNorm = sameConv(wide, wide, kernel, stride, wide), liteNorm(wide)
	b.Project, b.OutNorm = sameConv(wide, out, 1, 1, 1), liteNorm(out)
	b.Init(b)
	return b
}

// Forward takes (N, in, H, W) to (N, out, ceil(H/stride), ceil(W/stride)).
func (b *invertedBottleneck) Forward(x torch.Tensor) torch.Tensor {
	var widen []nn.IModule
	if b.Expand != nil {
		widen = []nn.IModule{b.Expand, b.ExpandNorm, relu6}
	}
	narrow := []nn.IModule{b.Depthwise, b.DepthNorm, relu6, b.Project, b.OutNorm}
	none := torch.Tensor{}
	if b.shortcut {
		if b.drop > 0 && b.IsTraining() {
			return dropPath(nn.Run(x, none, append(widen, narrow...)...), b.drop, true).Add(x, 1)
		}
		return nn.Run(x, x, append(widen, narrow...)...)
	}
	if b.Depthwise.Stride == 1 {
		return nn.Run(x, none, append(widen, narrow...)...)
	}
	if len(widen) > 0 {
		x = nn.Run(x, none, widen...)
	}
	return nn.Run(samePadding(b.Depthwise, x), none, narrow...)
}

func liteNorm(channels int64) *nn.BatchNorm2dModule {
	return nn.BatchNorm2d(channels, liteEps, liteMomentum, true, true)
}

// sameConv is a convolution without bias for [same]: at stride 1 it pads itself.
func sameConv(in, out, kernel, stride, groups int64) *nn.Conv2dModule {
	padding := int64(0)
	if stride == 1 {
		padding = kernel / 2
	}
	return nn.Conv2d(in, out, kernel, stride, padding, 1, groups, false, "zeros")
}

// relu6 is the function of every block.
var relu6 = nn.ReLU6()

// samePadding pads for a convolution with a stride as TensorFlow's SAME: its output has ceil(side/stride)
// pixels, and an odd pixel of padding goes to the right and below.
func samePadding(c *nn.Conv2dModule, x torch.Tensor) torch.Tensor {
	shape := x.Shape()
	padding := func(side int64) (before, after int64) {
		total := max(0, ((side+c.Stride-1)/c.Stride-1)*c.Stride+c.KernelSize-side)
		return total / 2, total - total/2
	}
	top, bottom := padding(shape[2])
	left, right := padding(shape[3])
	if top+bottom+left+right > 0 {
		x = x.Pad([]int64{left, right, top, bottom}, "constant", 0)
	}
	return x
}

// initialiseLite draws convolutions from N(0, 2/fan out), as TensorFlow's EfficientNet does. The head
// keeps PyTorch's initialisation: TensorFlow's, U(+-1/sqrt(fan out)), makes the loss of a head for few classes start at ten.
func initialiseLite(m nn.IModule) {
	if c, ok := m.(*nn.Conv2dModule); ok {
		initializer.Normal(&c.Weight, 0, math.Sqrt(2/float64(c.KernelSize*c.KernelSize*c.OutChannels/c.Groups)))
	}
}
