package trainer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
)

// What a training does when a loss is not finite.
const (
	OnNaNStop     = "stop"     // end with an error; the last checkpoint is kept
	OnNaNSkip     = "skip"     // leave the step out
	OnNaNRollback = "rollback" // go back to the last checkpoint and leave out the step and the one before
)

// OnNaNNames lists them.
func OnNaNNames() []string { return []string{OnNaNStop, OnNaNSkip, OnNaNRollback} }

// Limits beyond which a training is not worth going on with.
const (
	maxSkipsInARow = 10
	maxRollbacks   = 5
)

// errNotFinite is a step whose loss is no number.
var errNotFinite = errors.New("the loss is not finite")

// errRollback is how a step asks for the last checkpoint.
var errRollback = errors.New("roll back")

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// notFinite decides what becomes of a step whose loss is no number; nil leaves
// the step out. The weights are still those from before the step.
func (f *fit) notFinite(batch *augment.Batch, step int, loss, lr float64) error {
	p := &f.progress
	var files []string
	for _, index := range batch.Indices {
		files = append(files, f.set.Samples[index].Path)
	}
	f.Log.Error("the loss is not finite", "step", step, "loss", fmt.Sprint(loss), "lr", lr, "files", files)
	err := fmt.Errorf("step %d: %w: it is %v at lr %.3g on the batch of %s; the last checkpoint is kept; lower --lr, or see --on-nan",
		step, errNotFinite, loss, lr, someOf(files, 8))
	switch f.OnNaN {
	case OnNaNSkip:
		f.skipsInARow++
		if f.skipsInARow > maxSkipsInARow {
			return fmt.Errorf("%w; %d steps in a row were left out", err, maxSkipsInARow)
		}
		f.Log.Warn("step left out", "step", step)
		p.LeftOut = append(p.LeftOut, step)
		return nil
	case OnNaNRollback:
		if f.rollbacks++; f.rollbacks > maxRollbacks {
			return fmt.Errorf("%w; it was rolled back %d times", err, maxRollbacks)
		}
		// A loss may be the first sign of weights that the step before spoilt.
		f.avoid = append(f.avoid, step-1, step)
		return fmt.Errorf("%w: %w", errRollback, err)
	}
	return err
}

// rollback returns to the last checkpoint on the disk.
func (f *fit) rollback(cause error) error {
	dir := ""
	if f.saver != nil {
		f.saver.wait() //nolint:errcheck // an older one will do
		dir = f.Run.Dir
	}
	scope := torch.NewScope()
	defer scope.Close()
	c, err := ReadCheckpointTogether(f.World, dir)
	if err != nil {
		return fmt.Errorf("%w; there is nothing to roll back to: %w", cause, err)
	}
	if err := f.restore(c); err != nil {
		return errors.Join(cause, err)
	}
	if f.Run != nil {
		if err := f.Run.openSteps(c.Step()); err != nil {
			return errors.Join(cause, err)
		}
	}
	f.progress = c.progress
	f.Log.Warn("rolled back", "to_step", c.Step(), "leaving_out", f.avoid)
	return nil
}

// avoided tells whether a rollback asked for the next step to be left out.
func (f *fit) avoided() bool { return slices.Contains(f.avoid, f.progress.Step) }

// someOf lists the first n of names.
func someOf(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more (see %s)", strings.Join(names[:n], ", "), len(names)-n, logFile)
}

// buffersBefore copies the model's buffers (the running statistics of BatchNorm,
// which the forward pass moves), where a step may be left out.
func (f *fit) buffersBefore() map[string]torch.Tensor {
	if f.OnNaN != OnNaNSkip {
		return nil
	}
	buffers := map[string]torch.Tensor{}
	for _, n := range f.model.Named() {
		if n.Buffer {
			buffers[n.Name] = n.Tensor.Clone()
		}
	}
	return buffers
}

func (f *fit) restoreBuffers(buffers map[string]torch.Tensor) {
	for _, n := range f.model.Named() {
		if before, ok := buffers[n.Name]; ok {
			n.Tensor.CopyI(before)
		}
	}
}
