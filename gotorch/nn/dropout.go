package nn

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
)

// DropoutModule zeroes at random in training and passes its input on in evaluation (Srivastava et al., 2014).
type DropoutModule struct {
	Module
	P        float64 // the probability of a zero
	Channels bool    // zeroes whole channels
}

// Dropout returns torch.nn.Dropout: each element is zeroed with probability p in [0, 1], the others are
// scaled by 1/(1-p).
func Dropout(p float64) *DropoutModule { return dropout("Dropout", p, false) }

// Dropout2d returns torch.nn.Dropout2d, which zeroes whole channels of (N, C, H, W).
func Dropout2d(p float64) *DropoutModule { return dropout("Dropout2d", p, true) }

func dropout(op string, p float64, channels bool) *DropoutModule {
	if !(p >= 0 && p <= 1) {
		panic(&torch.Error{Op: op, Message: fmt.Sprintf("dropout probability has to be between 0 and 1, but got %v", p)})
	}
	d := &DropoutModule{P: p, Channels: channels}
	d.Init(d)
	return d
}

// Forward takes any shape to the same shape.
func (d *DropoutModule) Forward(x torch.Tensor) torch.Tensor {
	if d.Channels {
		return d.forwarded(x, torch.Dropout2d(x, d.P, d.isTraining))
	}
	return d.forwarded(x, torch.Dropout(x, d.P, d.isTraining))
}
