package trainer

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"
)

// The values of Recipe.Graph.
const (
	GraphAuto = "auto" // steps on a GPU are recorded where they can be
	GraphOff  = "off"
)

// warmSteps are done one operation after the other before a step is recorded: what is made once is made in them.
const warmSteps = 3

// A recorder records what is asked of a device. cudaRecorder is the one; tests have another.
type recorder interface {
	// warm does f as recording it would have it done.
	warm(f func())
	// record records f without doing it.
	record(f func()) (replayer, error)
}

type replayer interface {
	Replay()
	Close()
}

type cudaRecorder struct{ device torch.Device }

func (r cudaRecorder) warm(f func()) {
	torch.Synchronize(r.device)
	torch.OnCUDAStream(torch.NewCUDAStream(r.device), f)
	torch.Synchronize(r.device)
}

func (r cudaRecorder) record(f func()) (replayer, error) {
	g, err := torch.RecordCUDAGraph(r.device, f)
	if err != nil {
		return nil, err // not a nil *CUDAGraph in a replayer
	}
	return g, nil
}

// A recording is a whole step of one shape, done again by one request: the batch is copied to where the
// recorded operations read it, and the loss appears where they write it.
type recording struct {
	shape string
	warm  int      // steps done before it is made
	graph replayer // nil until then
	x     torch.Tensor
	t     target
	loss  torch.Tensor
}

func (r *recording) close() {
	if r != nil && r.graph != nil {
		r.graph.Close()
	}
}

// whyNotRecorded says why the recipe's steps cannot be recorded, "" when they can.
func (f *fit) whyNotRecorded() string {
	switch {
	case f.recipe.Accumulate > 1:
		return "gradients are accumulated over several batches"
	case f.recipe.Lookahead > 0:
		return "lookahead counts steps"
	case f.parting.parts > 1:
		return "batches are taken in parts"
	}
	return ""
}

// steadyMomentum tells whether the momentum stays the same, so that the optimiser's part can be recorded,
// too: the rate is read from the device, the momentum is not.
func (f *fit) steadyMomentum() bool {
	if f.optimizer.steady() {
		return true
	}
	_, first := f.recipe.Rates(0, f.steps)
	for i := range f.steps {
		if _, momentum := f.recipe.Rates(i, f.steps); momentum != first {
			return false
		}
	}
	return true
}

// record asks for a step, by its recording where there is one, and gives the loss.
func (f *fit) record(scope *torch.Scope, x torch.Tensor, t target, last, spoilt bool) torch.Tensor {
	if f.recorder == nil || spoilt {
		return f.wholeStep(x, t, last, spoilt)
	}
	if why := f.whyNotRecorded(); why != "" {
		return f.unrecorded(why, x, t, last)
	}
	shape := fmt.Sprint(x.Shape(), t.own.T != nil, f.recipe.frozenAt(f.progress.Epoch, len(f.model.Stages())))
	if f.recording == nil || f.recording.shape != shape {
		f.recording.close()
		f.recording = &recording{shape: shape}
	}
	r := f.recording
	if r.warm < warmSteps {
		r.warm++
		var loss torch.Tensor
		f.recorder.warm(func() { loss = f.wholeStep(x, t, last, false) })
		return loss
	}
	if r.graph == nil {
		keep := func(t torch.Tensor) torch.Tensor {
			if t.T == nil {
				return t
			}
			return scope.Keep(t.Clone())
		}
		r.x, r.t = keep(x), target{keep(t.labels), keep(t.partner), keep(t.own)}
		var err error
		r.graph, err = f.recorder.record(func() {
			if f.steady {
				r.loss = scope.Keep(f.wholeStep(r.x, r.t, true, false))
			} else {
				r.loss = scope.Keep(f.gradients(r.x, r.t, false))
			}
		})
		if err != nil {
			f.optimizer.ZeroGrad()
			return f.unrecorded(firstLine(err.Error()), x, t, last)
		}
		f.Log.Info("steps are recorded as a CUDA graph", "shape", r.shape, "optimizer_inside", f.steady)
	}
	for _, pair := range [][2]torch.Tensor{{r.x, x}, {r.t.labels, t.labels}, {r.t.partner, t.partner}, {r.t.own, t.own}} {
		if pair[0].T != nil {
			pair[0].CopyI(pair[1])
		}
	}
	r.graph.Replay()
	if !f.steady {
		f.optimizer.end(last)
	}
	return r.loss
}

// unrecorded falls back to steps one operation after the other, and says why, once.
func (f *fit) unrecorded(why string, x torch.Tensor, t target, last bool) torch.Tensor {
	f.Log.Warn("steps are not recorded as a CUDA graph; each operation is asked for by itself", "reason", why)
	f.recording.close()
	f.recorder, f.recording = nil, nil
	return f.wholeStep(x, t, last, false)
}
