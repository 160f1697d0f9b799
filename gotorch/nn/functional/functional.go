// Package functional holds the functions behind the modules of package nn, without state of their
// own: torch.nn.functional. What is not here is in package gotorch under its name there (Gelu, OneHot,
// SmoothL1Loss, GridSample, ...). The functions panic with an *[torch.Error] where libtorch refuses their
// operands.
package functional

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
)

// BatchNorm normalises each channel (dimension 1) of input by the statistics of the batch when
// training, which also moves the running ones by momentum, or else by the running ones. Tensor{}
// stands for no running statistics, weight or bias.
func BatchNorm(input, runningMean, runningVar, weight, bias torch.Tensor,
	training bool, momentum, eps float64) torch.Tensor {
	return torch.BatchNorm(input, runningMean, runningVar, weight, bias, training, momentum, eps)
}

// Conv2d convolves input (N, C, H, W) with weight (out, C/groups, kH, kW); bias is (out) or Tensor{}.
func Conv2d(input, weight, bias torch.Tensor, stride, padding, dilation []int64, groups int64) torch.Tensor {
	return torch.Conv2d(input, weight, bias, stride, padding, dilation, groups)
}

// ConvTranspose2d is the gradient of Conv2d with respect to its input, with weight
// (C, out/groups, kH, kW).
func ConvTranspose2d(input, weight, bias torch.Tensor, stride, padding, outputPadding []int64,
	groups int64, dilation []int64) torch.Tensor {
	return torch.ConvTranspose2d(input, weight, bias, stride, padding, outputPadding, groups, dilation)
}

// LogSoftmax returns log(softmax(input)) along dim. A negative dim means, as in the older gotorch,
// PyTorch's legacy choice: 0 for inputs of 0, 1 or 3 dimensions, else 1.
func LogSoftmax(input torch.Tensor, dim int64) torch.Tensor {
	if dim < 0 {
		dim = 1
		if d := input.Dim(); d == 0 || d == 1 || d == 3 {
			dim = 0
		}
	}
	return input.LogSoftmax(dim)
}

// Softmax returns e**input normalised to sum to 1 along dim.
func Softmax(input torch.Tensor, dim int64) torch.Tensor { return input.Softmax(dim) }

// NllLoss is the negative log likelihood of log probabilities input (N, C, ...) for target classes
// (Long). weight (C) or Tensor{} weighs the classes; reduction is none, mean or sum.
func NllLoss(input, target, weight torch.Tensor, ignoreIndex int64, reduction string) torch.Tensor {
	return torch.NllLoss(input, target, weight, ignoreIndex, reduction)
}

// BinaryCrossEntropy is the loss of probabilities input against target, both in [0, 1].
func BinaryCrossEntropy(input, target, weight torch.Tensor, reduction string) torch.Tensor {
	return torch.BinaryCrossEntropy(input, target, weight, reduction)
}

// BinaryCrossEntropyWithLogits is BinaryCrossEntropy over sigmoid(input), exact for large logits.
func BinaryCrossEntropyWithLogits(input, target, weight, posWeight torch.Tensor, reduction string) torch.Tensor {
	return torch.BinaryCrossEntropyWithLogits(input, target, weight, posWeight, reduction)
}

// CrossEntropy is the cross entropy between logits input (N, C, ...) and target: classes (Long), of
// which ignoreIndex does not count (PyTorch's default is -100), or probabilities. weight (C) or
// Tensor{} weighs the classes; reduction is none, mean or sum. For label smoothing there is
// [torch.CrossEntropy].
func CrossEntropy(input, target, weight torch.Tensor, ignoreIndex int64, reduction string) torch.Tensor {
	return torch.CrossEntropy(input, target, weight, ignoreIndex, reduction, 0)
}

// MSELoss is (input-target)**2.
func MSELoss(input, target torch.Tensor, reduction string) torch.Tensor {
	return torch.MSELoss(input, target, reduction)
}

// L1Loss is |input-target|.
func L1Loss(input, target torch.Tensor, reduction string) torch.Tensor {
	return torch.L1Loss(input, target, reduction)
}

// Relu returns max(input, 0); inplace changes and returns input itself.
func Relu(input torch.Tensor, inplace bool) torch.Tensor {
	if inplace {
		return input.ReluI()
	}
	return input.Relu()
}

// LeakyRelu returns input where it is positive and negativeSlope*input elsewhere; inplace changes and
// returns input itself.
func LeakyRelu(input torch.Tensor, negativeSlope float64, inplace bool) torch.Tensor {
	if inplace {
		return input.LeakyReluI(negativeSlope)
	}
	return input.LeakyRelu(negativeSlope)
}

// Linear returns input @ weight^T + bias; weight is (out, in), bias (out) or Tensor{}.
func Linear(input, weight, bias torch.Tensor) torch.Tensor {
	return torch.Linear(input, weight, bias)
}

// Dropout sets elements to zero with probability p and scales the rest by 1/(1-p) when training.
func Dropout(input torch.Tensor, p float64, training bool) torch.Tensor {
	return torch.Dropout(input, p, training)
}

// MaxPool2d takes the largest element of each window.
func MaxPool2d(input torch.Tensor, kernelSize, stride, padding, dilation []int64, ceilMode bool) torch.Tensor {
	return torch.MaxPool2d(input, kernelSize, stride, padding, dilation, ceilMode)
}

// AvgPool2d averages each window.
func AvgPool2d(input torch.Tensor, kernelSize, stride, padding []int64, ceilMode, countIncludePad bool) torch.Tensor {
	return torch.AvgPool2d(input, kernelSize, stride, padding, ceilMode, countIncludePad)
}

// AdaptiveAvgPool2d averages to the height and width in outputSize.
func AdaptiveAvgPool2d(input torch.Tensor, outputSize []int64) torch.Tensor {
	return torch.AdaptiveAvgPool2d(input, outputSize)
}

// AdaptiveMaxPool2d takes the largest elements to the height and width in outputSize.
func AdaptiveMaxPool2d(input torch.Tensor, outputSize []int64) torch.Tensor {
	y, indices := torch.AdaptiveMaxPool2d(input, outputSize)
	indices.Close()
	return y
}

// LayerNorm normalises over the last dimensions, whose sizes are normalizedShape.
func LayerNorm(input torch.Tensor, normalizedShape []int64, weight, bias torch.Tensor, eps float64) torch.Tensor {
	return torch.LayerNorm(input, normalizedShape, weight, bias, eps)
}

// GroupNorm normalises each of groups groups of channels of each sample.
func GroupNorm(input torch.Tensor, groups int64, weight, bias torch.Tensor, eps float64) torch.Tensor {
	return torch.GroupNorm(input, groups, weight, bias, eps)
}

// Interpolate resizes the dimensions behind (N, C) to size, which holds one number for each of them. mode is
// nearest, nearest-exact, bilinear, bicubic (pictures), area (the mean of what falls together; pictures),
// linear (sequences) or trilinear (volumes). alignCorners keeps the outermost values at the edge, antialias
// blurs before shrinking; both count for some modes only: alignCorners for those with linear or cubic in their
// name, antialias for bilinear and bicubic. It panics for another mode or when size does not fit input.
func Interpolate(input torch.Tensor, size []int64, mode string, alignCorners, antialias bool) torch.Tensor {
	switch mode {
	case "nearest":
		return torch.UpsampleNearest2d(input, size)
	case "nearest-exact":
		return torch.UpsampleNearestExact2d(input, size)
	case "area":
		return torch.AdaptiveAvgPool2d(input, size)
	case "linear":
		return torch.UpsampleLinear1d(input, size, alignCorners)
	case "bilinear":
		return torch.UpsampleBilinear2d(input, size, alignCorners, antialias)
	case "bicubic":
		return torch.UpsampleBicubic2d(input, size, alignCorners, antialias)
	case "trilinear":
		return torch.UpsampleTrilinear3d(input, size, alignCorners)
	default:
		panic(&torch.Error{Op: "Interpolate", Message: fmt.Sprintf(
			"mode must be nearest, nearest-exact, area, linear, bilinear, bicubic or trilinear, it is %q", mode)})
	}
}
