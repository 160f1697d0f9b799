package models

import (
	"fmt"
	"strconv"

	"github.com/wangkuiyi/gotorch/nn"
)

// module makes a layer for what flows at its place, and moves on behind it.
func (l Layer) module(at *maps, classes int64) (nn.IModule, error) {
	if make, ok := activations[l.Type]; ok {
		return make(), nil
	}
	switch l.Type {
	case "conv":
		return l.conv(at, classes)
	case "linear":
		return l.linear(at, classes)
	case "flatten":
		if at.side > 0 {
			at.channels, at.side = at.channels*at.side*at.side, 0
		}
		return nn.Flatten(), nil
	case "dropout":
		if !(l.P >= 0 && l.P < 1) {
			return nil, fmt.Errorf("p is %v; it must be in [0, 1)", l.P)
		}
		return nn.Dropout(l.P), nil
	}
	if at.side == 0 {
		return nil, fmt.Errorf("it needs maps, but flatten came before")
	}
	switch l.Type {
	case "batchnorm":
		return nn.BatchNorm2d(at.channels, 1e-5, 0.1, true, true), nil
	case "adaptive_avgpool", "adaptive_maxpool":
		at.side = max(1, l.Size)
		if l.Type == "adaptive_avgpool" {
			return nn.AdaptiveAvgPool2d(at.side, at.side), nil
		}
		return nn.AdaptiveMaxPool2d(at.side, at.side), nil
	}
	return l.pool(at)
}

func (l Layer) conv(at *maps, classes int64) (nn.IModule, error) {
	if at.side == 0 {
		return nil, fmt.Errorf("it needs maps, but flatten came before")
	}
	out, err := l.width(classes)
	if err != nil {
		return nil, err
	}
	groups := int64(1)
	switch {
	case l.Groups == "channels":
		groups = at.channels
	case l.Groups != "":
		if groups, err = strconv.ParseInt(l.Groups, 10, 64); err != nil {
			return nil, fmt.Errorf("groups is %q; it must be a number or the word channels", l.Groups)
		}
	}
	if groups < 1 || at.channels%groups != 0 || out%groups != 0 {
		return nil, fmt.Errorf("%d groups do not divide %d input and %d output channels", groups, at.channels, out)
	}
	stride, dilation := orOne(l.Stride), orOne(l.Dilation)
	padding := dilation * (l.Kernel / 2)
	if l.Padding != nil {
		padding = *l.Padding
	}
	in := at.channels
	if err := l.shrink(at, stride, padding, dilation); err != nil {
		return nil, err
	}
	at.channels = out
	return nn.Conv2d(in, out, l.Kernel, stride, padding, dilation, groups, l.Bias == nil || *l.Bias, "zeros"), nil
}

func (l Layer) linear(at *maps, classes int64) (nn.IModule, error) {
	if at.side > 0 {
		return nil, fmt.Errorf("it needs features, but %d maps of %dx%d come in; put flatten before it", at.channels, at.side, at.side)
	}
	out, err := l.width(classes)
	if err != nil {
		return nil, err
	}
	in := at.channels
	at.channels = out
	return nn.Linear(in, out, l.Bias == nil || *l.Bias), nil
}

func (l Layer) pool(at *maps) (nn.IModule, error) {
	stride, padding := l.Stride, int64(0)
	if stride == 0 {
		stride = l.Kernel
	}
	if l.Padding != nil {
		padding = *l.Padding
	}
	if padding > l.Kernel/2 {
		return nil, fmt.Errorf("padding is %d; it may be at most half of the kernel %d", padding, l.Kernel)
	}
	dilation := orOne(l.Dilation)
	if l.Type == "avgpool" && dilation > 1 {
		return nil, fmt.Errorf("avgpool has no dilation")
	}
	if err := l.shrink(at, stride, padding, dilation); err != nil {
		return nil, err
	}
	if l.Type == "avgpool" {
		return nn.AvgPool2d(l.Kernel, stride, padding, false, true), nil
	}
	return nn.MaxPool2d(l.Kernel, stride, padding, dilation, false), nil
}

// shrink moves the side of the maps on, by [OutputSide].
func (l Layer) shrink(at *maps, stride, padding, dilation int64) error {
	if l.Kernel < 1 || l.Kernel > 1024 || stride < 1 || padding < 0 || padding > 1024 || dilation < 1 || dilation > 1024 {
		return fmt.Errorf("kernel %d, stride %d, padding %d, dilation %d: want kernel and stride of at least 1, none negative", l.Kernel, stride, padding, dilation)
	}
	side := OutputSide(at.side, l.Kernel, stride, padding, dilation)
	if side < 1 {
		return fmt.Errorf("nothing is left of maps of %dx%d under a kernel of %d; use larger pictures or fewer strides", at.side, at.side, l.Kernel)
	}
	at.side = side
	return nil
}

// OutputSide is the side of what a convolution or pool makes of maps of that
// side: floor((n + 2p - d(k-1) - 1) / s) + 1.
func OutputSide(side, kernel, stride, padding, dilation int64) int64 {
	room := side + 2*padding - dilation*(kernel-1) - 1
	if room < 0 {
		return 0
	}
	return room/stride + 1
}

// width is the number of outputs a layer asks for.
func (l Layer) width(classes int64) (int64, error) {
	if l.Out == "classes" {
		return classes, nil
	}
	out, err := strconv.ParseInt(l.Out, 10, 64)
	if err != nil || out < 1 || out > 1<<20 {
		return 0, fmt.Errorf("out is %q; it must be a number of at least 1, or the word classes", l.Out)
	}
	return out, nil
}

// orOne is a setting, or 1 where it was left out.
func orOne(n int64) int64 {
	if n == 0 {
		return 1
	}
	return n
}
