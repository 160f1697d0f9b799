// Package models holds the networks Orrery trains, with PyTorch's parameter
// names and initialisation.
package models

import (
	"fmt"
	"math"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// Options are what a network's shape depends on.
type Options struct {
	Classes int // at least 2: the width of the logits
	// ReLU and BatchNorm switch cnn8's layers on.
	ReLU, BatchNorm bool
	// Width multiplies the channels of cnn8, resnet9 and speednet; 0 is 1.
	Width float64
	// Depth is how many convolutions cnn8 has, 2 to 32; 0 is 8.
	Depth int
	// Activation is cnn8's instead of ReLU, one of [ActivationNames]; "" is relu.
	Activation string
	// Dropout is the probability that training drops a feature before the last layer, in [0, 1).
	Dropout float64
	// DropPath is the probability that training leaves out the last residual branch, in [0, 1); it
	// rises to that from 0 at the first one. Networks without such branches refuse it.
	DropPath float64
	// Layers are the network itself, in place of a name.
	Layers Layers
	// Size is the side of the pictures in pixels; only Layers need it.
	Size int
}

// A Model is a network that classifies pictures.
type Model interface {
	nn.IModule
	// Logits takes pictures, float32 [N, 3, H, W], normalised as the network's
	// weights want it, and gives float32 [N, classes].
	Logits(x torch.Tensor) torch.Tensor
	// Features are what the head, the last stage, is given: [N, C, H', W'].
	Features(x torch.Tensor) torch.Tensor
	// Through takes x, what stage from is given, through the stages from..to-1.
	Through(x torch.Tensor, from, to int) torch.Tensor
	// Parameters are what is trained, in the order of the layers.
	Parameters() []torch.Tensor
	// Named are parameters and buffers under PyTorch's names, in the same order.
	Named() []nn.NamedTensor
	// ToChannelsLast lays convolutions' weights out as NHWC.
	ToChannelsLast()
	// Stages are the parts of the network in order; the last is the head.
	Stages() []Stage
	// Freeze takes the first stages out of training: their parameters require
	// no gradient, Logits records nothing there, and their BatchNorms use and
	// keep the statistics they have. 0 frees all.
	Freeze(stages int)
}

// New builds the network of that name with fresh weights, drawn from
// libtorch's default generator; with o.Layers, the network of those layers. The
// tensors belong to the scope that is open.
func New(name string, o Options) (Model, error) {
	if err := Check(name, o); err != nil {
		return nil, err
	}
	build := o.Layers.build
	if len(o.Layers) == 0 {
		info, err := Find(name)
		if err != nil {
			return nil, err
		}
		build = info.build
	}
	o = o.withDefaults()
	var n *network
	var err error
	if caught := torch.Try(func() { n, err = build(o) }); caught != nil {
		err = caught
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	return n, nil
}

// Check tells what New would refuse of the options, without building anything.
func Check(name string, o Options) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("model %s: %w", name, err)
	}
	if len(o.Layers) > 0 {
		return nil
	}
	info, err := Find(name)
	if err != nil {
		return err
	}
	if err := info.accepts(o); err != nil {
		return fmt.Errorf("model %s: %w", name, err)
	}
	return nil
}

// withDefaults puts the usual values where o says nothing.
func (o Options) withDefaults() Options {
	if o.Width == 0 {
		o.Width = 1
	}
	if o.Depth == 0 {
		o.Depth = len(cnn8Kernels)
	}
	if o.Activation == "" {
		o.Activation = "relu"
	}
	return o
}

func (o Options) check() error {
	probability := func(p float64) bool { return p >= 0 && p < 1 }
	switch {
	case o.Classes < 2:
		return fmt.Errorf("%d classes; a classifier needs at least 2", o.Classes)
	case math.IsNaN(o.Width) || o.Width < 0 || o.Width > 64:
		return fmt.Errorf("width is %v; it must be in (0, 64], 1 being the network's own", o.Width)
	case o.Depth != 0 && (o.Depth < 2 || o.Depth > maxDepth):
		return fmt.Errorf("depth is %d; it must be between 2 and %d", o.Depth, maxDepth)
	case !probability(o.Dropout):
		return fmt.Errorf("dropout is %v; it must be in [0, 1)", o.Dropout)
	case !probability(o.DropPath):
		return fmt.Errorf("drop path is %v; it must be in [0, 1)", o.DropPath)
	}
	if o.Activation != "" {
		_, err := activation(o.Activation)
		return err
	}
	return nil
}

// accepts refuses options that the network has no use for.
func (i Info) accepts(o Options) error {
	can := func(option string) bool { return slices.Contains(i.Options, option) }
	switch {
	case o.Width != 0 && o.Width != 1 && !can("width"):
		return fmt.Errorf("it has no width to set; %s", withOption("width"))
	case o.Depth != 0 && !can("depth"):
		return fmt.Errorf("it has no depth to set; %s", withOption("depth"))
	case o.Activation != "" && o.Activation != "relu" && !can("activation"):
		return fmt.Errorf("it has its own activation; %s", withOption("activation"))
	case o.DropPath != 0 && !can("drop_path"):
		return fmt.Errorf("it has no drop path; %s", withOption("drop_path"))
	}
	return nil
}

// withOption says which networks take an option.
func withOption(option string) string {
	var names []string
	for _, i := range registry {
		if slices.Contains(i.Options, option) {
			names = append(names, i.Name)
		}
	}
	return option + " is for " + strings.Join(names, ", ")
}
