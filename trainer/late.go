package trainer

import (
	"errors"
	"fmt"
	"math"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
)

// lateness is how many steps are asked of a GPU before anybody waits for it and reads their losses; it is
// the GPU itself that leaves out a step whose loss is not finite.
const lateness = 8

// A lateStep was asked of the device; nobody has read its loss yet.
type lateStep struct {
	record Step          // without the loss and the time
	images int           // of the batch
	batch  augment.Batch // whose memory the device may still be reading
	loss   torch.Tensor  // 0-dim Float on the CPU, once the device was waited for
}

// lateBy is how many steps this training may run behind: none where something wants to know each step's
// outcome before the next begins.
func (f *fit) lateBy() int {
	if f.World != nil || f.observer != nil || f.OnNaN == OnNaNSkip {
		return 0
	}
	if f.device.IsCUDA() {
		return lateness
	}
	return f.lateOnCPU
}

// beginLate prepares for steps that nobody waits for.
func (f *fit) beginLate() error {
	if f.late = f.lateBy(); f.late == 0 {
		return nil
	}
	if f.recorder == nil && f.device.IsCUDA() && f.recipe.Graph != GraphOff {
		f.recorder = cudaRecorder{f.device}
	}
	return torch.Try(func() {
		if f.optimizer.guard.T == nil {
			f.optimizer.setGuard(torch.Full(nil, 0, false).To(f.device, torch.Float))
		}
		if f.steady = f.steadyMomentum(); f.steady && f.recorder != nil {
			f.optimizer.rateOnDevice()
		}
	})
}

// stepLate asks for a step on one batch, which it takes over, and tells the watchers of those before, once it has
// waited for the device.
func (f *fit) stepLate(batch *augment.Batch, began time.Time, wait time.Duration) error {
	s := &lateStep{images: batch.N, batch: *batch}
	*batch = augment.Batch{}
	s.record.Resident = s.batch.Dtype == augment.Shots
	return f.enqueue(s, began, wait, f.progress.Batch+1 == f.train.Steps(), func() (torch.Tensor, target) {
		return f.feed(&s.batch), targetOf(&s.batch, f.device)
	})
}

// enqueue asks for a step on what input takes to the device.
func (f *fit) enqueue(s *lateStep, began time.Time, wait time.Duration, last bool, input func() (torch.Tensor, target)) error {
	p, r := &f.progress, &s.record
	r.Step, r.Epoch, r.DataWaitSeconds, r.Late = p.Step, p.Epoch, wait.Seconds(), true
	r.LearningRate, r.Momentum = f.recipe.Rates(p.Step, f.steps)
	f.queue = append(f.queue, s)
	if err := f.retrying(s.images, func() error { return f.ask(s, last, input) }); err != nil {
		f.dropLate()
		return fmt.Errorf("step %d: %w", p.Step, err)
	}
	p.Batch++
	p.Step++
	f.unsettled += time.Since(began).Seconds()
	return f.settle(f.late - 1)
}

// ask asks the device for a step.
func (f *fit) ask(s *lateStep, last bool, input func() (torch.Tensor, target)) error {
	return torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		f.optimizer.at(s.record.Step, f.steps)
		f.optimizer.setRates(s.record.LearningRate, s.record.Momentum)
		spoilt := f.spoil != nil && f.spoil(s.record.Step)
		x, t := input()
		loss := f.record(scope, x, t, last, spoilt)
		s.record.Graph = !spoilt && f.recording != nil && f.recording.graph != nil
		s.loss = scope.Keep(loss.CopyAsync(torch.CPU))
	})
}

// wholeStep is all of a step but its rates, and asks the device for it: it gives the loss, and nothing waits.
func (f *fit) wholeStep(x torch.Tensor, t target, last, spoilt bool) torch.Tensor {
	loss := f.gradients(x, t, spoilt)
	f.optimizer.end(last)
	return loss
}

func (f *fit) gradients(x torch.Tensor, t target, spoilt bool) torch.Tensor {
	o := f.optimizer
	o.begin()
	loss := addGradients(f.parting, f.model, o, x, t, nil)
	if spoilt {
		loss = loss.MulScalar(math.NaN())
	}
	torch.NoGrad(func() { o.guard.CopyI(torch.Maximum(o.guard, loss.IsFinite().LogicalNot().CastTo(torch.Float))) })
	return loss
}

// settle waits for the device, reads the losses of the steps asked for, and tells the watchers, once they
// are more than so many. Nobody knows how long each of them took: they share the time evenly.
func (f *fit) settle(more int) error {
	if len(f.queue) <= more {
		return nil
	}
	began := time.Now()
	if err := torch.Try(func() { torch.Synchronize(f.device) }); err != nil {
		step := f.queue[0].record.Step
		f.dropLate()
		return fmt.Errorf("step %d or later: %w", step, err)
	}
	each := (f.unsettled + time.Since(began).Seconds()) / float64(len(f.queue))
	f.unsettled = 0
	for len(f.queue) > 0 {
		s := f.queue[0]
		f.queue = f.queue[1:]
		s.record.Seconds, s.record.ImagesPerSecond = each, float64(s.images)/each
		err := f.settleStep(s)
		s.batch.Release()
		if err != nil {
			f.dropLate()
			return err
		}
	}
	return nil
}

// settleAll is settle after the last step.
func (f *fit) settleAll() error { return f.settle(0) }

func (f *fit) settleStep(s *lateStep) error {
	p := &f.progress
	var loss float64
	if err := torch.Try(func() {
		loss = s.loss.ItemFloat64()
		s.loss.Close()
	}); err != nil {
		return fmt.Errorf("step %d: %w", s.record.Step, err)
	}
	if !isFinite(loss) {
		return f.notFinite(&s.batch, s.record.Step, loss, s.record.LearningRate)
	}
	f.skipsInARow = 0
	if s.record.Step == 0 {
		p.FirstStep = time.Since(f.Started).Seconds()
	}
	s.record.Loss, s.record.SmoothedLoss, s.record.MemoryMiB = loss, p.Smoothed.add(loss), residentMiB()
	f.count(s.record, s.images)
	return f.tell(s.record, &s.batch)
}

// dropLate gives up the steps asked for, once the device no longer reads their batches.
func (f *fit) dropLate() {
	torch.Try(func() { torch.Synchronize(f.device) }) //nolint:errcheck // what failed is being told already
	for _, s := range f.queue {
		if s.loss.T != nil {
			s.loss.Close()
		}
		s.batch.Release()
	}
	f.queue, f.unsettled = nil, 0
}

// retrying does a step, in smaller parts when memory runs out.
func (f *fit) retrying(n int, step func() error) error {
	for {
		err := step()
		if !outOfMemory(err) {
			return err
		}
		f.recording.close()
		f.recording = nil
		if failed := f.halve(n, err); failed != nil {
			return failed
		}
		if err := torch.Try(f.optimizer.ZeroGrad); err != nil {
			return errors.Join(err)
		}
	}
}
