package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
)

// trainEpoch takes one optimiser step for each batch of the epoch that is left.
func (f *fit) trainEpoch(ctx context.Context) error {
	for {
		waited := time.Now()
		batch, err := f.batches.Next()
		if err != nil {
			return ignoreEOF(err)
		}
		err = f.stepOn(ctx, batch, waited)
		batch.Release()
		if err != nil {
			return err
		}
	}
}

// stepOn does what is due before a step, and the step.
func (f *fit) stepOn(ctx context.Context, batch *augment.Batch, waited time.Time) error {
	wait := time.Since(waited)
	asked := f.asked(ctx)
	join, err := f.joinStep(fmt.Sprintf("meeting before step %d", f.progress.Step), batch.N, asked != nil, f.saver.due(f.progress.Step))
	switch {
	case err != nil:
		return err
	case join.stop && asked == nil: // another process was asked
		return errAsked
	case join.stop:
		return asked
	case join.save:
		if err := f.save(false); err != nil {
			return err
		}
	}
	if f.avoided() {
		f.progress.LeftOut = append(f.progress.LeftOut, f.progress.Step)
		f.progress.Batch++
		f.progress.Step++
		return nil
	}
	if batch.N == 0 {
		return fmt.Errorf("step %d: none of the pictures of rank %d's share can be read; take them out of %s", f.progress.Step, f.World.Rank(), f.set.Source)
	}
	if f.late > 0 {
		return f.stepLate(batch, waited, wait)
	}
	return f.step(batch, join.images, waited, wait)
}

// errAsked is how a request to stop ends the epoch.
var errAsked = errors.New("asked to stop")

// asked tells whether the training is to end before its next step.
func (f *fit) asked(ctx context.Context) error {
	if now := time.Now(); now.Sub(f.looked) >= flushEvery {
		f.looked = now
		if f.Run.takeStop() {
			return errAsked
		}
	}
	return ctx.Err()
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// step trains on one batch, of which other processes have their shares of the
// images, and tells the watchers.
func (f *fit) step(batch *augment.Batch, images int, began time.Time, wait time.Duration) error {
	p := &f.progress
	lr, momentum := f.recipe.Rates(p.Step, f.steps)
	f.optimizer.at(p.Step, f.steps)
	left := false
	var unshared error
	loss, err := f.optimiseBatch(batch, lr, momentum, f.averaging(batch.N, images), func(own float64) (loss float64, take bool) {
		loss, unshared = f.wholeLoss(own, batch.N, images)
		left = !isFinite(loss) || f.spoil != nil && f.spoil(p.Step)
		return loss, !left && unshared == nil
	})
	if err = f.explain(errors.Join(err, unshared)); err != nil {
		return fmt.Errorf("step %d: %w", p.Step, err)
	}
	if left {
		if err := f.notFinite(batch, p.Step, loss, lr); err != nil {
			return err
		}
		p.Batch++
		p.Step++
		return nil
	}
	f.skipsInARow = 0
	if p.Step == 0 {
		p.FirstStep = time.Since(f.Started).Seconds()
	}
	seconds := time.Since(began).Seconds()
	smoothed := p.Smoothed.add(loss)
	record := Step{
		Step: p.Step, Epoch: p.Epoch, LearningRate: lr, Momentum: momentum, Loss: loss, SmoothedLoss: smoothed,
		ImagesPerSecond: float64(images) / seconds, Seconds: seconds, DataWaitSeconds: wait.Seconds(),
		MemoryMiB: residentMiB(),
	}
	f.count(record, images)
	p.Batch++
	p.Step++
	return f.tell(record, batch)
}

// count adds a step to what Result.ImagesPerSecond and DataWaitFraction are of: the times of all steps, and nothing
// between them.
func (f *fit) count(record Step, images int) {
	p := &f.progress
	p.TrainSeconds += record.Seconds
	p.WaitSeconds += record.DataWaitSeconds
	p.TrainedImages += images
}

// tell hands out what is known of a step on a batch.
func (f *fit) tell(record Step, batch *augment.Batch) error {
	for _, w := range f.Watchers {
		w.StepEnds(record)
	}
	f.goOn(f.Run.addStep(record))
	f.health.seeLoss(f.Log, record.Step, len(f.set.Classes), record.Loss)
	if err := f.tellLayers(record.Step); err != nil {
		return fmt.Errorf("activations of step %d: %w", record.Step, err)
	}
	return f.tellBatch(record.Step, batch)
}

// optimiseBatch takes one step, unless take refuses it, and gives the loss that take makes of this
// process's.
func (f *fit) optimiseBatch(batch *augment.Batch, lr, momentum float64, average *averaging, take func(own float64) (loss float64, ok bool)) (loss float64, err error) {
	err = f.retrying(batch.N, func() error {
		loss, err = f.tryBatch(batch, lr, momentum, average, take)
		return err
	})
	return loss, err
}

func (f *fit) tryBatch(batch *augment.Batch, lr, momentum float64, average *averaging, take func(own float64) (loss float64, ok bool)) (loss float64, err error) {
	err = torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		buffers := f.buffersBefore()
		last := f.progress.Batch+1 == f.train.Steps()
		taken := true
		optimiseIn(f.parting, f.model, f.optimizer, pictures(batch, f.device), targetOf(batch, f.device), lr, momentum, average, last, func(own float64) bool {
			loss, taken = take(own)
			return taken
		})
		if !taken {
			f.restoreBuffers(buffers)
		}
	})
	return loss, err
}
