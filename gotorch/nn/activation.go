package nn

import torch "github.com/wangkuiyi/gotorch"

// ReLUModule is max(x, 0), element by element.
type ReLUModule struct{ Module }

// ReLU returns torch.nn.ReLU. Within a Sequential, after a Conv2d, it is part of one operation with it.
func ReLU() *ReLUModule {
	r := &ReLUModule{}
	r.Init(r)
	return r
}

// Forward takes any shape to the same shape.
func (r *ReLUModule) Forward(x torch.Tensor) torch.Tensor { return r.forwarded(x, torch.Relu(x)) }

// FlattenModule makes a vector of each sample.
type FlattenModule struct{ Module }

// Flatten returns torch.nn.Flatten.
func Flatten() *FlattenModule {
	f := &FlattenModule{}
	f.Init(f)
	return f
}

// Forward takes (N, ...) to (N, product of the rest).
func (f *FlattenModule) Forward(x torch.Tensor) torch.Tensor {
	return f.forwarded(x, torch.Flatten(x, 1, -1))
}
