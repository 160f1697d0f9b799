package nn

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
)

// LayerNormModule normalises each sample over its last dimensions (Ba et al., 2016).
type LayerNormModule struct {
	Module
	NormalizedShape []int64
	Eps             float64
	Weight          torch.Tensor // of NormalizedShape, or none
	Bias            torch.Tensor // of NormalizedShape, or none
}

// LayerNorm returns torch.nn.LayerNorm, whose defaults are eps 1e-5 and affine true: weight and bias of
// normalizedShape, at first 1 and 0.
func LayerNorm(normalizedShape []int64, eps float64, affine bool) *LayerNormModule {
	l := &LayerNormModule{NormalizedShape: normalizedShape, Eps: eps}
	l.Weight, l.Bias = scaleAndShift(affine, normalizedShape...)
	l.Init(l)
	return l
}

// Forward takes (..., normalizedShape) to the same shape.
func (l *LayerNormModule) Forward(x torch.Tensor) torch.Tensor {
	return l.forwarded(x, torch.LayerNorm(x, l.NormalizedShape, l.Weight, l.Bias, l.Eps))
}

// GroupNormModule normalises groups of channels of each sample (Wu and He, 2018).
type GroupNormModule struct {
	Module
	NumGroups, NumChannels int64
	Eps                    float64
	Weight                 torch.Tensor // (channels), or none
	Bias                   torch.Tensor // (channels), or none
}

// GroupNorm returns torch.nn.GroupNorm, whose defaults are eps 1e-5 and affine true. numGroups divides
// numChannels.
func GroupNorm(numGroups, numChannels int64, eps float64, affine bool) *GroupNormModule {
	if numGroups <= 0 || numChannels%numGroups != 0 {
		panic(&torch.Error{Op: "GroupNorm", Message: fmt.Sprintf("%d groups must divide %d channels", numGroups, numChannels)})
	}
	g := &GroupNormModule{NumGroups: numGroups, NumChannels: numChannels, Eps: eps}
	g.Weight, g.Bias = scaleAndShift(affine, numChannels)
	g.Init(g)
	return g
}

// Forward takes (N, channels, ...) to the same shape.
func (g *GroupNormModule) Forward(x torch.Tensor) torch.Tensor {
	return g.forwarded(x, torch.GroupNorm(x, g.NumGroups, g.Weight, g.Bias, g.Eps))
}

// scaleAndShift returns the ones and zeros that an affine normalisation starts from, or none.
func scaleAndShift(affine bool, shape ...int64) (weight, bias torch.Tensor) {
	if affine {
		weight, bias = torch.Ones(shape, true), torch.Zeros(shape, true)
	}
	return weight, bias
}
