package nn

import (
	torch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// LinearModule returns x @ Weight^T + Bias.
type LinearModule struct {
	Module
	InFeatures  int64
	OutFeatures int64
	Weight      torch.Tensor // (out, in)
	Bias        torch.Tensor // (out), or none
}

// Linear returns a linear layer with PyTorch's initialisation: torch.nn.Linear. Its bias has the
// shape (out); the older gotorch made it (out, 1), which adds it to the wrong dimension.
func Linear(in, out int64, bias bool) *LinearModule {
	l := &LinearModule{InFeatures: in, OutFeatures: out}
	l.Weight = parameter(out, in)
	if bias {
		l.Bias = parameter(out)
	}
	l.Init(l)
	resetWeightAndBias(&l.Weight, &l.Bias)
	return l
}

// Forward takes (..., in) to (..., out).
func (l *LinearModule) Forward(x torch.Tensor) torch.Tensor {
	return l.forwarded(x, F.Linear(x, l.Weight, l.Bias))
}
