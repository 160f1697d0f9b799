package trainer

import (
	"maps"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/models"
)

// An average is the exponential moving average of a model's weights and
// buffers, as timm's ModelEmaV2 keeps it: it starts as a copy, and each step
// moves it by 1-decay towards the model.
type average struct {
	model   models.Model
	decay   float64
	weights map[string]torch.Tensor
}

func newAverage(model models.Model, decay float64) *average {
	return &average{model, decay, copies(model, func(nn.NamedTensor) bool { return true })}
}

// copies are a model's tensors that are wanted, cloned.
func copies(model models.Model, wanted func(nn.NamedTensor) bool) map[string]torch.Tensor {
	list := map[string]torch.Tensor{}
	torch.NoGrad(func() {
		for _, n := range model.Named() {
			if wanted(n) {
				list[n.Name] = n.Tensor.Detach().Clone()
			}
		}
	})
	return list
}

func (a *average) step() {
	torch.NoGrad(func() {
		for _, n := range a.model.Named() {
			mean := a.weights[n.Name]
			if isInteger(mean) { // counts of batches
				mean.CopyI(n.Tensor)
				continue
			}
			mean.LerpI(n.Tensor, 1-a.decay)
		}
	})
}

func isInteger(t torch.Tensor) bool { return t.Dtype() == torch.Long }

// within runs f with the averaged weights in the model. A nil average leaves the model as it is.
func (a *average) within(f func()) {
	if a == nil {
		f()
		return
	}
	// The tensors of the model stay the same ones; only their memory changes.
	exchange := func() {
		torch.Scoped(func(*torch.Scope) {
			for _, n := range a.model.Named() {
				mean := a.weights[n.Name]
				own := n.Tensor.Detach()
				n.Tensor.SetData(mean.Detach())
				mean.SetData(own)
			}
		})
	}
	exchange()
	defer exchange()
	f()
}

// slowWeights are Lookahead's: every so many steps they move halfway to the
// model's weights, which then continue from them. As in timm, they begin as the
// model's at the first such step.
type slowWeights struct {
	model   models.Model
	every   int64
	count   torch.Tensor // of steps, Long [1]
	weights map[string]torch.Tensor
}

// lookaheadRate is how far the slow weights move.
const lookaheadRate = 0.5

func newSlowWeights(model models.Model, every int) *slowWeights {
	return &slowWeights{model, int64(every), torch.NewTensor([]int64{0}), copies(model, func(n nn.NamedTensor) bool { return !n.Buffer })}
}

func (s *slowWeights) step() {
	s.count.AddScalarI(1)
	count := torch.Values[int64](s.count)[0]
	if count%s.every != 0 {
		return
	}
	torch.NoGrad(func() {
		for _, n := range s.model.Named() {
			slow, ok := s.weights[n.Name]
			switch {
			case !ok:
			case count == s.every:
				slow.CopyI(n.Tensor)
			case n.Tensor.RequiresGrad():
				n.Tensor.CopyI(slow.LerpI(n.Tensor, lookaheadRate))
			}
		}
	})
}

func (s *slowWeights) state() map[string]torch.Tensor {
	state := maps.Clone(s.weights)
	state["count"] = s.count
	return state
}

func (s *slowWeights) setState(state map[string]torch.Tensor) error {
	all := maps.Clone(s.weights)
	all["count"] = s.count
	return copyInto(all, state, "slow weights")
}
