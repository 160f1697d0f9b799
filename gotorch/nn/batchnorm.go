package nn

import (
	torch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// BatchNorm2dModule normalises each channel over a batch of images (Ioffe and Szegedy, 2015).
type BatchNorm2dModule struct {
	Module
	NumFeatures       int64
	Eps               float64
	Momentum          float64
	Affine            bool
	TrackRunningStats bool
	Weight            torch.Tensor // (channels), or none
	Bias              torch.Tensor // (channels), or none
	RunningMean       torch.Tensor `gotorch:"buffer"` // (channels), or none
	RunningVar        torch.Tensor `gotorch:"buffer"` // (channels), or none
	NumBatchesTracked torch.Tensor `gotorch:"buffer"` // Long, 0-dim: training steps seen, or none
}

// BatchNorm2d returns a batch normalisation: torch.nn.BatchNorm2d, whose defaults are eps 1e-5,
// momentum 0.1, affine and trackRunningStats true.
func BatchNorm2d(numFeatures int64, eps, momentum float64, affine, trackRunningStats bool) *BatchNorm2dModule {
	b := &BatchNorm2dModule{NumFeatures: numFeatures, Eps: eps, Momentum: momentum, Affine: affine,
		TrackRunningStats: trackRunningStats}
	shape := []int64{numFeatures}
	if affine {
		b.Weight = torch.Ones(shape, true)
		b.Bias = torch.Zeros(shape, true)
	}
	if trackRunningStats {
		b.RunningMean = torch.Zeros(shape, false)
		b.RunningVar = torch.Ones(shape, false)
		b.NumBatchesTracked = torch.ZerosOf(nil, torch.Long)
	}
	b.Init(b)
	return b
}

// Forward takes (N, channels, H, W) to the same shape. In training it uses the batch's statistics
// and moves the running ones; in evaluation the running ones. It panics when x has other dimensions or
// channels.
func (b *BatchNorm2dModule) Forward(x torch.Tensor) torch.Tensor {
	if d := x.Dim(); d != 4 {
		panic(&torch.Error{Op: "BatchNorm2d", Message: "expected 4D input"})
	}
	var mean, variance torch.Tensor
	batch := b.countStep()
	if b.TrackRunningStats {
		mean, variance = b.RunningMean, b.RunningVar
	}
	return b.forwarded(x, F.BatchNorm(x, mean, variance, b.Weight, b.Bias, batch, b.Momentum, b.Eps))
}

// countStep counts a training step and tells whether the batch's own statistics are used.
func (b *BatchNorm2dModule) countStep() bool {
	if b.isTraining && b.NumBatchesTracked.T != nil {
		b.NumBatchesTracked.AddScalarI(1)
	}
	return b.isTraining || b.RunningMean.T == nil
}
