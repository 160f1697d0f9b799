package testdata

import (
	"math"
	"strings"
)

// Weights is tensor number k of a state_dict, as scripts/golden/models_torchvision.py draws it: weights of variance 1/fan
// in; scales and variances in [0.5, 1.5); the rest in [-0.1, 0.1).
func Weights(name string, shape []int64, k int) []float32 {
	n := int64(1)
	for _, s := range shape {
		n *= s
	}
	v := make([]float32, n)
	for i := range v {
		u := Uniform(i, k)
		switch {
		case len(shape) > 1:
			v[i] = float32((2*u - 1) * math.Sqrt(3/float64(n/shape[0])))
		case strings.HasSuffix(name, "weight") || strings.HasSuffix(name, "running_var"):
			v[i] = float32(0.5 + u)
		default:
			v[i] = float32(0.2*u - 0.1)
		}
	}
	return v
}

// Waves are n pictures [n, 3, side, side] around 0, as scripts/golden/models_speednet.py draws them: a wave for each
// channel, with noise that grows with it.
func Waves(n, side int) []float32 {
	v := make([]float32, n*3*side*side)
	for i := range v {
		x, y, plane := i%side, i/side%side, i/side/side
		u := func(j int) float64 { return Uniform(3*plane+j, 2000) }
		wave := math.Sin((1+3*u(0))*float64(x)/5 + (1+3*u(1))*float64(y)/5 + 6*u(2))
		v[i] = float32(wave + 0.1*float64(plane%3+1)*(2*Uniform(i, 2001)-1))
	}
	return v
}
