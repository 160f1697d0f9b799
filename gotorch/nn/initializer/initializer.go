// Package initializer fills parameters with their first values: torch.nn.init. Every function works
// in place, outside autograd, and draws the same numbers as PyTorch does from the same seed.
package initializer

import (
	"fmt"
	"math"

	torch "github.com/wangkuiyi/gotorch"
)

// ManualSeed seeds every random generator.
func ManualSeed(seed int64) { torch.ManualSeed(seed) }

func fill(op string, a *torch.Tensor, f func(t torch.Tensor)) {
	if a == nil || a.T == nil {
		panic(&torch.Error{Op: op, Message: "the tensor is nil"})
	}
	torch.NoGrad(func() { f(*a) })
}

// Zeros sets every element to 0.
func Zeros(a *torch.Tensor) { fill("Zeros", a, func(t torch.Tensor) { t.ZeroI() }) }

// Ones sets every element to 1.
func Ones(a *torch.Tensor) { Constant(a, 1) }

// Constant sets every element to value.
func Constant(a *torch.Tensor, value float64) {
	fill("Constant", a, func(t torch.Tensor) { t.FillI(value) })
}

// Uniform draws from [low, high).
func Uniform(a *torch.Tensor, low, high float64) {
	fill("Uniform", a, func(t torch.Tensor) { t.UniformI(low, high) })
}

// Normal draws from a normal distribution.
func Normal(a *torch.Tensor, mean, std float64) {
	fill("Normal", a, func(t torch.Tensor) { t.NormalI(mean, std) })
}

// CalculateGain returns the gain that keeps the variance through a nonlinearity: linear, conv1d,
// conv2d, conv3d, sigmoid, tanh, relu, selu, leaky_relu (param is its negative slope).
func CalculateGain(nonLinearity string, param float64) float64 {
	switch nonLinearity {
	case "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
		"conv_transpose3d", "sigmoid":
		return 1
	case "tanh":
		return 5.0 / 3
	case "relu":
		return math.Sqrt(2)
	case "leaky_relu":
		return math.Sqrt(2 / (1 + param*param))
	case "selu":
		return 3.0 / 4
	default:
		panic(&torch.Error{Op: "CalculateGain", Message: fmt.Sprintf("unsupported nonlinearity %q", nonLinearity)})
	}
}

func fan(op string, t torch.Tensor, mode string) float64 {
	in, out := CalculateFanInAndFanOut(t)
	switch mode {
	case "fan_in":
		return float64(in)
	case "fan_out":
		return float64(out)
	default:
		panic(&torch.Error{Op: op, Message: fmt.Sprintf("mode must be fan_in or fan_out, it is %q", mode)})
	}
}

// KaimingUniform draws from [-b, b) with b = gain*sqrt(3/fan) (He et al., 2015). a is the negative
// slope of a leaky_relu; fanMode is fan_in or fan_out.
func KaimingUniform(input *torch.Tensor, a float64, fanMode string, nonLinearity string) {
	fill("KaimingUniform", input, func(t torch.Tensor) {
		// In the order of PyTorch's own operations, for the same bits.
		std := CalculateGain(nonLinearity, a) / math.Sqrt(fan("KaimingUniform", t, fanMode))
		bound := math.Sqrt(3) * std
		t.UniformI(-bound, bound)
	})
}

// KaimingNormal draws from a normal distribution with std = gain/sqrt(fan) (He et al., 2015).
func KaimingNormal(input *torch.Tensor, a float64, fanMode string, nonLinearity string) {
	fill("KaimingNormal", input, func(t torch.Tensor) {
		t.NormalI(0, CalculateGain(nonLinearity, a)/math.Sqrt(fan("KaimingNormal", t, fanMode)))
	})
}

// XavierUniform draws from [-b, b) with b = gain*sqrt(6/(fanIn+fanOut)) (Glorot and Bengio, 2010).
func XavierUniform(a *torch.Tensor, gain float64) {
	fill("XavierUniform", a, func(t torch.Tensor) {
		in, out := CalculateFanInAndFanOut(t)
		bound := math.Sqrt(3) * (gain * math.Sqrt(2/float64(in+out)))
		t.UniformI(-bound, bound)
	})
}

// XavierNormal draws from a normal distribution with std = gain*sqrt(2/(fanIn+fanOut)).
func XavierNormal(a *torch.Tensor, gain float64) {
	fill("XavierNormal", a, func(t torch.Tensor) {
		in, out := CalculateFanInAndFanOut(t)
		t.NormalI(0, gain*math.Sqrt(2/float64(in+out)))
	})
}

// TruncNormal draws from a normal distribution limited to [low, high], by inverting its cumulative
// distribution.
func TruncNormal(a *torch.Tensor, mean, std, low, high float64) {
	cdf := func(x float64) float64 { return (1 + math.Erf(x/math.Sqrt(2))) / 2 }
	fill("TruncNormal", a, func(t torch.Tensor) {
		l, u := cdf((low-mean)/std), cdf((high-mean)/std)
		t.UniformI(2*l-1, 2*u-1)
		t.ErfinvI()
		t.MulScalarI(std * math.Sqrt(2))
		t.AddScalarI(mean)
		t.ClampI(low, high)
	})
}

// Orthogonal fills a matrix (further dimensions are joined to the second) with orthonormal rows or
// columns times gain (Saxe et al., 2013).
func Orthogonal(a *torch.Tensor, gain float64) {
	fill("Orthogonal", a, func(t torch.Tensor) {
		s := torch.NewScope()
		defer s.Close()
		shape := t.Shape()
		if len(shape) < 2 {
			panic(&torch.Error{Op: "Orthogonal", Message: "the tensor needs two dimensions or more"})
		}
		rows, cols := shape[0], t.Numel()/shape[0]
		flat := torch.EmptyOf([]int64{rows, cols}, t.Dtype()).NormalI(0, 1)
		if rows < cols {
			flat = flat.Transpose(0, 1)
		}
		q, r := flat.QR()
		q = q.Mul(r.Diag(0).Sign())
		if rows < cols {
			q = q.Transpose(0, 1)
		}
		t.CopyI(q.Reshape(shape)).MulScalarI(gain)
	})
}

// CalculateFanInAndFanOut returns the number of inputs and outputs of a weight: (out, in) or
// (out, in, kernel...).
func CalculateFanInAndFanOut(input torch.Tensor) (int64, int64) {
	shape := input.Shape()
	if len(shape) < 2 {
		panic(&torch.Error{Op: "CalculateFanInAndFanOut",
			Message: "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"})
	}
	field := int64(1)
	for _, s := range shape[2:] {
		field *= s
	}
	return shape[1] * field, shape[0] * field
}
