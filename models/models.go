// Package models holds the networks Orrery trains, with PyTorch's parameter
// names and initialisation.
package models

import (
	"fmt"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// Options are what a network's shape depends on.
type Options struct {
	Classes int // at least 2: the width of the logits
	// ReLU and BatchNorm switch cnn8's layers on.
	ReLU, BatchNorm bool
}

// Names lists what New knows.
func Names() []string { return []string{"cnn8"} }

// A Model is a network that classifies pictures.
type Model interface {
	nn.IModule
	// Logits takes pictures, float32 [N, 3, H, W] with values in [0, 1], and
	// gives float32 [N, classes].
	Logits(x torch.Tensor) torch.Tensor
	// Parameters are what is trained, in the order of the layers.
	Parameters() []torch.Tensor
	// Named are parameters and buffers under PyTorch's names, in the same order.
	Named() []nn.NamedTensor
	// ToChannelsLast lays convolutions' weights out as NHWC.
	ToChannelsLast()
}

// New builds the network of that name with fresh weights, drawn from
// libtorch's default generator. The tensors belong to the scope that is open.
func New(name string, o Options) (Model, error) {
	if o.Classes < 2 {
		return nil, fmt.Errorf("model %s: %d classes; a classifier needs at least 2", name, o.Classes)
	}
	switch name {
	case "cnn8":
		return sequential{cnn8(o)}, nil
	default:
		return nil, fmt.Errorf("model %q is not known; it must be one of: %s", name, strings.Join(Names(), ", "))
	}
}

// A sequential is a Model whose layers run one after the other.
type sequential struct{ *nn.SequentialModule }

func (s sequential) Logits(x torch.Tensor) torch.Tensor { return s.Forward(x).(torch.Tensor) }
