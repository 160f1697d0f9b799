package nn

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// Conv2dModule convolves images; kernel, stride, padding and dilation are the same in both
// directions.
type Conv2dModule struct {
	Module
	InChannels  int64
	OutChannels int64
	KernelSize  int64
	Stride      int64
	Padding     int64
	Dilation    int64
	Groups      int64
	PaddingMode string
	Weight      torch.Tensor // (out, in/groups, k, k)
	Bias        torch.Tensor // (out), or none
}

// Conv2d returns a convolution with PyTorch's initialisation: torch.nn.Conv2d. paddingMode is zeros
// (also "" and zero), reflect, replicate or circular.
func Conv2d(inChannels, outChannels, kernelSize, stride, padding, dilation,
	groups int64, bias bool, paddingMode string) *Conv2dModule {
	c := &Conv2dModule{
		InChannels: inChannels, OutChannels: outChannels, KernelSize: kernelSize, Stride: stride,
		Padding: padding, Dilation: dilation, Groups: groups, PaddingMode: padMode(paddingMode),
	}
	checkGroups("Conv2d", inChannels, outChannels, groups)
	c.Weight = parameter(outChannels, inChannels/groups, kernelSize, kernelSize)
	if bias {
		c.Bias = parameter(outChannels)
	}
	c.Init(c)
	resetWeightAndBias(&c.Weight, &c.Bias)
	return c
}

// Forward takes (N, in, H, W) to (N, out, H', W').
func (c *Conv2dModule) Forward(input torch.Tensor) torch.Tensor {
	x, p := Pixels(input), c.Padding
	if c.PaddingMode != "zeros" && p != 0 {
		x = x.Pad([]int64{p, p, p, p}, c.PaddingMode, 0)
		p = 0
	}
	return c.forwarded(input, F.Conv2d(x, c.Weight, c.Bias, []int64{c.Stride, c.Stride}, []int64{p, p},
		[]int64{c.Dilation, c.Dilation}, c.Groups))
}

// Pixels takes pictures in bytes (Byte, any shape) to Float from 0 to 1, as torch.ConvChain reads them; tensors of
// other types stay as they are.
func Pixels(x torch.Tensor) torch.Tensor {
	if x.Dtype() != torch.Byte {
		return x
	}
	return x.CastTo(torch.Float).DivScalarI(255)
}

// ConvTranspose2dModule is the transposed convolution, which enlarges images.
type ConvTranspose2dModule struct {
	Module
	InChannels  int64
	OutChannels int64
	KernelSize  int64
	Stride      int64
	Padding     int64
	OutPadding  int64
	Groups      int64
	Dilation    int64
	PaddingMode string
	Weight      torch.Tensor // (in, out/groups, k, k)
	Bias        torch.Tensor // (out), or none
}

// ConvTranspose2d returns a transposed convolution with PyTorch's initialisation:
// torch.nn.ConvTranspose2d, which knows zero padding only.
func ConvTranspose2d(inChannels, outChannels, kernelSize, stride, padding,
	outPadding, groups int64, bias bool, dilation int64, paddingMode string) *ConvTranspose2dModule {
	c := &ConvTranspose2dModule{
		InChannels: inChannels, OutChannels: outChannels, KernelSize: kernelSize, Stride: stride,
		Padding: padding, OutPadding: outPadding, Groups: groups, Dilation: dilation,
		PaddingMode: padMode(paddingMode),
	}
	must(c.PaddingMode == "zeros", "ConvTranspose2d knows the padding mode zeros only, not %q", paddingMode)
	checkGroups("ConvTranspose2d", inChannels, outChannels, groups)
	c.Weight = parameter(inChannels, outChannels/groups, kernelSize, kernelSize)
	if bias {
		c.Bias = parameter(outChannels)
	}
	c.Init(c)
	resetWeightAndBias(&c.Weight, &c.Bias)
	return c
}

// Forward takes (N, in, H, W) to (N, out, H', W').
func (c *ConvTranspose2dModule) Forward(x torch.Tensor) torch.Tensor {
	return c.forwarded(x, F.ConvTranspose2d(x, c.Weight, c.Bias, []int64{c.Stride, c.Stride},
		[]int64{c.Padding, c.Padding}, []int64{c.OutPadding, c.OutPadding}, c.Groups,
		[]int64{c.Dilation, c.Dilation}))
}

func padMode(s string) string {
	if s == "" || s == "zero" {
		return "zeros"
	}
	return s
}

func checkGroups(op string, in, out, groups int64) {
	if groups <= 0 || in%groups != 0 || out%groups != 0 {
		panic(&torch.Error{Op: op, Message: fmt.Sprintf("%d groups must divide %d and %d channels", groups, in, out)})
	}
}
