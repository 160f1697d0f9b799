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

// ActivationModule is a function without parameters of its own, known by PyTorch's name for its
// module, which is what a printed network and an exporter read.
type ActivationModule struct {
	Module
	Function string    // as in "SiLU"
	Args     []float64 // the settings in the order of the constructor's parameters
	forward  func(torch.Tensor) torch.Tensor
}

func activation(function string, forward func(torch.Tensor) torch.Tensor, args ...float64) *ActivationModule {
	a := &ActivationModule{Function: function, Args: args, forward: forward}
	a.Init(a)
	a.name = "nn." + function
	return a
}

// Forward takes any shape to the same shape; Softmax and LogSoftmax need the dimension they work along.
func (a *ActivationModule) Forward(x torch.Tensor) torch.Tensor { return a.forwarded(x, a.forward(x)) }

// Identity returns its input: torch.nn.Identity.
func Identity() *ActivationModule {
	return activation("Identity", func(x torch.Tensor) torch.Tensor { return x })
}

// Sigmoid is 1/(1+e**-x): torch.nn.Sigmoid.
func Sigmoid() *ActivationModule { return activation("Sigmoid", torch.Sigmoid) }

// Tanh is the hyperbolic tangent: torch.nn.Tanh.
func Tanh() *ActivationModule { return activation("Tanh", torch.Tanh) }

// ReLU6 is min(max(x, 0), 6): torch.nn.ReLU6.
func ReLU6() *ActivationModule { return activation("ReLU6", torch.Relu6) }

// SiLU is x*sigmoid(x), also called swish: torch.nn.SiLU.
func SiLU() *ActivationModule { return activation("SiLU", torch.Silu) }

// Mish is x*tanh(softplus(x)): torch.nn.Mish.
func Mish() *ActivationModule { return activation("Mish", torch.Mish) }

// SELU is the self-normalising ELU: torch.nn.SELU.
func SELU() *ActivationModule { return activation("SELU", torch.Selu) }

// Hardswish is x*relu6(x+3)/6: torch.nn.Hardswish.
func Hardswish() *ActivationModule { return activation("Hardswish", torch.Hardswish) }

// Hardsigmoid is relu6(x+3)/6: torch.nn.Hardsigmoid.
func Hardsigmoid() *ActivationModule { return activation("Hardsigmoid", torch.Hardsigmoid) }

// GELU is the Gaussian error linear unit x*Phi(x), exact: torch.nn.GELU.
func GELU() *ActivationModule {
	return activation("GELU", func(x torch.Tensor) torch.Tensor { return torch.Gelu(x, "none") })
}

// LeakyReLU is x where it is positive and negativeSlope*x elsewhere: torch.nn.LeakyReLU, whose default is 0.01.
func LeakyReLU(negativeSlope float64) *ActivationModule {
	return activation("LeakyReLU", func(x torch.Tensor) torch.Tensor { return torch.LeakyRelu(x, negativeSlope) }, negativeSlope)
}

// ELU is x where it is positive and alpha*(e**x-1) elsewhere: torch.nn.ELU, whose default is 1.
func ELU(alpha float64) *ActivationModule {
	return activation("ELU", func(x torch.Tensor) torch.Tensor { return torch.Elu(x, alpha) }, alpha)
}

// Softmax is e**x normalised to sum to 1 along dim: torch.nn.Softmax.
func Softmax(dim int64) *ActivationModule {
	return activation("Softmax", func(x torch.Tensor) torch.Tensor { return torch.Softmax(x, dim) }, float64(dim))
}

// LogSoftmax is log(softmax(x)) along dim: torch.nn.LogSoftmax.
func LogSoftmax(dim int64) *ActivationModule {
	return activation("LogSoftmax", func(x torch.Tensor) torch.Tensor { return torch.LogSoftmax(x, dim) }, float64(dim))
}
