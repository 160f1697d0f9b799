package nn

import torch "github.com/wangkuiyi/gotorch"

// MaxPool2dModule takes the largest element of each square window.
type MaxPool2dModule struct {
	Module
	KernelSize, Stride, Padding, Dilation int64
	CeilMode                              bool
}

// MaxPool2d returns torch.nn.MaxPool2d; a stride of 0 is kernelSize. Padding is at most half the kernel.
func MaxPool2d(kernelSize, stride, padding, dilation int64, ceilMode bool) *MaxPool2dModule {
	p := &MaxPool2dModule{KernelSize: kernelSize, Stride: strideOr(stride, kernelSize), Padding: padding, Dilation: dilation,
		CeilMode: ceilMode}
	p.Init(p)
	return p
}

// Forward takes (N, C, H, W) to (N, C, H', W').
func (p *MaxPool2dModule) Forward(x torch.Tensor) torch.Tensor {
	return p.forwarded(x, torch.MaxPool2d(x, square(p.KernelSize), square(p.Stride), square(p.Padding), square(p.Dilation), p.CeilMode))
}

// AvgPool2dModule averages each square window.
type AvgPool2dModule struct {
	Module
	KernelSize, Stride, Padding int64
	CeilMode, CountIncludePad   bool
}

// AvgPool2d returns torch.nn.AvgPool2d; a stride of 0 is kernelSize. PyTorch's default counts the
// padding (countIncludePad).
func AvgPool2d(kernelSize, stride, padding int64, ceilMode, countIncludePad bool) *AvgPool2dModule {
	p := &AvgPool2dModule{KernelSize: kernelSize, Stride: strideOr(stride, kernelSize), Padding: padding, CeilMode: ceilMode,
		CountIncludePad: countIncludePad}
	p.Init(p)
	return p
}

// Forward takes (N, C, H, W) to (N, C, H', W').
func (p *AvgPool2dModule) Forward(x torch.Tensor) torch.Tensor {
	return p.forwarded(x, torch.AvgPool2d(x, square(p.KernelSize), square(p.Stride), square(p.Padding), p.CeilMode, p.CountIncludePad))
}

// AdaptivePool2dModule pools to a given height and width.
type AdaptivePool2dModule struct {
	Module
	Height, Width int64
	Max           bool // takes the largest element of each cell in place of the mean
}

// AdaptiveAvgPool2d returns torch.nn.AdaptiveAvgPool2d((height, width)).
func AdaptiveAvgPool2d(height, width int64) *AdaptivePool2dModule {
	return adaptivePool2d(height, width, false)
}

// AdaptiveMaxPool2d returns torch.nn.AdaptiveMaxPool2d((height, width)).
func AdaptiveMaxPool2d(height, width int64) *AdaptivePool2dModule {
	return adaptivePool2d(height, width, true)
}

func adaptivePool2d(height, width int64, largest bool) *AdaptivePool2dModule {
	p := &AdaptivePool2dModule{Height: height, Width: width, Max: largest}
	p.Init(p)
	return p
}

// Forward takes (N, C, H, W) to (N, C, height, width).
func (p *AdaptivePool2dModule) Forward(x torch.Tensor) torch.Tensor {
	size := []int64{p.Height, p.Width}
	if !p.Max {
		return p.forwarded(x, torch.AdaptiveAvgPool2d(x, size))
	}
	y, indices := torch.AdaptiveMaxPool2d(x, size)
	indices.Close()
	return p.forwarded(x, y)
}

func square(x int64) []int64 { return []int64{x, x} }

func strideOr(stride, kernelSize int64) int64 {
	if stride == 0 {
		return kernelSize
	}
	return stride
}
