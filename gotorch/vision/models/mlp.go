// Package models holds classifiers of pictures under the names the older gotorch gave them, with
// torchvision's parameter names in their state.
package models

import (
	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// MLPModule is a perceptron with two hidden layers of 512 for pictures of 28x28 pixels and ten
// classes.
type MLPModule struct {
	nn.Module
	FC1, FC2, FC3 *nn.LinearModule
}

// MLP returns a freshly initialised MLPModule.
func MLP() *MLPModule {
	m := &MLPModule{
		FC1: nn.Linear(28*28, 512, true),
		FC2: nn.Linear(512, 512, true),
		FC3: nn.Linear(512, 10, true),
	}
	m.Init(m)
	return m
}

// Forward takes pictures (any shape of N*784 values) to log probabilities (N, 10).
func (m *MLPModule) Forward(x torch.Tensor) torch.Tensor {
	x = torch.View(x, -1, 28*28)
	x = torch.Tanh(m.FC1.Forward(x))
	x = torch.Tanh(m.FC2.Forward(x))
	return m.FC3.Forward(x).LogSoftmax(1)
}
