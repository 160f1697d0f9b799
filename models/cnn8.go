package models

import "github.com/wangkuiyi/gotorch/nn"

// CNN8MaxSize is the largest side, in pixels, that eight halvings bring to 1.
const CNN8MaxSize = 256

// The article's widths and kernels. Every convolution has stride 2 and padding
// kernel/2, so 200-pixel pictures go 100, 50, 25, 13, 7, 4, 2, 1.
var (
	cnn8Channels = []int64{3, 8, 16, 32, 64, 128, 256, 512}
	cnn8Kernels  = []int64{5, 5, 5, 5, 5, 3, 3, 3}
)

// cnn8 is the article's eight-layer network, as nested sequentials
// (parameters "0.0.weight" ... "7.0.bias", BatchNorm "0.2.weight" ...):
// convolution, then ReLU and BatchNorm where o has them; nothing after the last
// convolution but Flatten. With four classes it has 1,766,612 parameters, and
// 1,768,644 with BatchNorm. Pictures may be up to CNN8MaxSize pixels wide and
// high: the last map is 1x1 then.
func cnn8(o Options) *nn.SequentialModule {
	last := len(cnn8Kernels) - 1
	stages := make([]nn.IModule, 0, last+2)
	for i, kernel := range cnn8Kernels[:last] {
		stages = append(stages, cnn8Stage(cnn8Channels[i], cnn8Channels[i+1], kernel, o.ReLU, o.BatchNorm))
	}
	head := cnn8Stage(cnn8Channels[last], int64(o.Classes), cnn8Kernels[last], false, false)
	return nn.Sequential(append(stages, head, nn.Flatten())...)
}

func cnn8Stage(in, out, kernel int64, relu, batchNorm bool) nn.IModule {
	layers := []nn.IModule{nn.Conv2d(in, out, kernel, 2, kernel/2, 1, 1, true, "zeros")}
	if relu {
		layers = append(layers, nn.ReLU())
	}
	if batchNorm {
		layers = append(layers, nn.BatchNorm2d(out, 1e-5, 0.1, true, true))
	}
	return nn.Sequential(layers...)
}
