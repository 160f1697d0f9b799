package models

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// A Stage is a part of a network that is frozen, and given a learning rate, as one.
type Stage struct {
	Name    string
	Modules []nn.IModule
}

// Parameters are what is trained of the stage, in the order of its layers.
func (s Stage) Parameters() []torch.Tensor {
	var list []torch.Tensor
	for _, m := range s.Modules {
		list = append(list, m.(interface{ Parameters() []torch.Tensor }).Parameters()...)
	}
	return list
}

// root is the module that holds all of a network's parameters under PyTorch's names.
type root interface {
	nn.IModule
	Parameters() []torch.Tensor
	Named() []nn.NamedTensor
	ToChannelsLast()
}

// A network is a Model made of stages that run one after the other.
type network struct {
	root
	stages []Stage
	// run takes x through stages from..to-1.
	run    func(x torch.Tensor, from, to int) torch.Tensor
	frozen int
}

// newNetwork is the network of root, whose stage i is called names[i] and takes its input through forward[i].
func newNetwork(r root, stages []Stage, forward []func(torch.Tensor) torch.Tensor) *network {
	if len(stages) != len(forward) {
		panic(fmt.Sprintf("models: %d stages but %d ways through them", len(stages), len(forward)))
	}
	return &network{root: r, stages: stages, run: func(x torch.Tensor, from, to int) torch.Tensor {
		for _, f := range forward[from:to] {
			x = f(x)
		}
		return x
	}}
}

func (n *network) Stages() []Stage { return n.stages }

func (n *network) Logits(x torch.Tensor) torch.Tensor {
	// The frozen stages on their own, so that nothing of them is kept for a backward pass; without torch.NoGrad, under
	// which convolutions may round otherwise.
	return n.run(n.run(x, 0, n.frozen), n.frozen, len(n.stages))
}

func (n *network) Features(x torch.Tensor) torch.Tensor { return n.run(x, 0, len(n.stages)-1) }

func (n *network) Through(x torch.Tensor, from, to int) torch.Tensor { return n.run(x, from, to) }

func (n *network) Freeze(stages int) {
	n.frozen = stages
	for i, s := range n.stages {
		for _, p := range s.Parameters() {
			p.SetRequiresGrad(i >= stages)
		}
	}
	n.Train(n.IsTraining())
}

// Train leaves frozen stages in evaluation: their BatchNorms keep the statistics they have.
func (n *network) Train(on bool) {
	n.root.Train(on)
	for _, s := range n.stages[:n.frozen] {
		for _, m := range s.Modules {
			m.Train(false)
		}
	}
}

// layerwise is the network of a plain Sequential: stage i is its modules cut[i-1] to cut[i]-1. However
// the stages are cut, convolutions that follow each other run fused.
func layerwise(s *nn.SequentialModule, names []string, cut []int) *network {
	n := &network{root: s}
	begin := func(stage int) int {
		if stage == 0 {
			return 0
		}
		return cut[stage-1]
	}
	for i, name := range names {
		n.stages = append(n.stages, Stage{name, s.Modules[begin(i):cut[i]]})
	}
	n.run = func(x torch.Tensor, from, to int) torch.Tensor {
		if from == 0 && to == len(names) {
			return s.Forward(x).(torch.Tensor)
		}
		if from == to {
			return x
		}
		return nn.Sequential(s.Modules[begin(from):begin(to)]...).Forward(x).(torch.Tensor)
	}
	return n
}
