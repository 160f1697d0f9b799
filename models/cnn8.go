package models

import (
	"fmt"

	"github.com/wangkuiyi/gotorch/nn"
)

// CNN8MaxSize is the largest side, in pixels, that eight halvings bring to 1.
const CNN8MaxSize = 256

// maxDepth is the most convolutions cnn8 takes.
const maxDepth = 32

// The article's widths and kernels. Every convolution has stride 2 and padding
// kernel/2, so 200-pixel pictures go 100, 50, 25, 13, 7, 4, 2, 1.
var (
	cnn8Channels = []int64{3, 8, 16, 32, 64, 128, 256, 512}
	cnn8Kernels  = []int64{5, 5, 5, 5, 5, 3, 3, 3}
)

// cnn8 is the article's eight-layer network, as nested sequentials
// (parameters "0.0.weight" ... "7.0.bias", BatchNorm "0.2.weight" ...):
// convolution, then activation and BatchNorm where o has them; nothing after the
// last convolution but Flatten. With four classes it has 1,766,612 parameters,
// and 1,768,644 with BatchNorm. Pictures may be up to CNN8MaxSize pixels wide
// and high: the last map is 1x1 then.
//
// Fewer layers leave out the last ones before the head, more repeat the last
// one at stride 1; then the head's map is averaged to one pixel.
func cnn8(o Options) (*network, error) {
	last := len(cnn8Kernels) - 1
	width := func(i int) int64 {
		if i == 0 {
			return cnn8Channels[0]
		}
		return max(1, int64(float64(cnn8Channels[i])*o.Width+0.5))
	}
	halvings := min(o.Depth-1, last)
	stages := make([]nn.IModule, 0, o.Depth+2)
	var names []string
	var cut []int
	add := func(stage nn.IModule) {
		names, cut = append(names, fmt.Sprintf("stage%d", len(stages))), append(cut, len(stages)+1)
		stages = append(stages, stage)
	}
	for i, kernel := range cnn8Kernels[:halvings] {
		add(cnn8Stage(o, width(i), width(i+1), kernel, 2))
	}
	for i := halvings; i < o.Depth-1; i++ {
		add(cnn8Stage(o, width(last), width(last), 3, 1))
	}
	if o.Dropout > 0 {
		stage := stages[len(stages)-1].(*nn.SequentialModule)
		stage.Modules = append(stage.Modules, nn.Dropout(o.Dropout))
	}
	head := nn.Sequential(nn.Conv2d(width(halvings), int64(o.Classes), 3, 2, 1, 1, 1, true, "zeros"))
	stages = append(stages, head)
	if o.Depth != len(cnn8Kernels) {
		stages = append(stages, nn.AdaptiveAvgPool2d(1, 1))
	}
	stages = append(stages, nn.Flatten())
	return layerwise(nn.Sequential(stages...), append(names, "head"), append(cut, len(stages))), nil
}

func cnn8Stage(o Options, in, out, kernel, stride int64) nn.IModule {
	layers := []nn.IModule{nn.Conv2d(in, out, kernel, stride, kernel/2, 1, 1, true, "zeros")}
	if o.ReLU {
		layers = append(layers, activations[o.Activation]())
	}
	if o.BatchNorm {
		layers = append(layers, nn.BatchNorm2d(out, 1e-5, 0.1, true, true))
	}
	return nn.Sequential(layers...)
}
