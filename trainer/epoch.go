package trainer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// epoch trains what is left of the current epoch, validates, and keeps a checkpoint.
func (f *fit) epoch(ctx context.Context) error {
	p := &f.progress
	began := time.Now()
	for _, w := range f.Watchers {
		w.EpochStarts(p.Epoch, f.recipe.Epochs, f.train.Steps())
	}
	if err := f.beginPhase(); err != nil {
		return err
	}
	if err := f.trainEpoch(ctx); err != nil {
		return f.stopped(ctx, began, err)
	}
	if err := f.settleAll(); err != nil {
		return err
	}
	if err := errors.Join(f.shareUnreadable(f.train), f.shareBuffers(true)); err != nil {
		return err
	}
	if p.Epoch+1 < f.recipe.Epochs { // its first batches are made while this one is validated
		f.batches.Close()
		if err := f.resize(p.Epoch, p.Epoch+1); err != nil {
			return err
		}
		f.batches = f.train.Epoch(f.loaderContext(ctx), p.Epoch+1)
	}
	evaluation, err := f.evaluate(ctx)
	if err != nil {
		return f.stopped(ctx, began, err)
	}
	return f.endEpoch(evaluation, time.Since(began).Seconds())
}

// evaluate measures the model on the validation split.
func (f *fit) evaluate(ctx context.Context) (*Evaluation, error) {
	var evaluation *Evaluation
	var err error
	f.optimizer.average.within(func() {
		if f.World != nil {
			evaluation, err = f.evaluateTogether(ctx)
		} else {
			evaluation, err = evaluate(ctx, f.model, f.feed, f.set, f.valid.Epoch(ctx, 0))
		}
	})
	return evaluation, err
}

// endEpoch notes a finished epoch in the run folder.
func (f *fit) endEpoch(evaluation *Evaluation, seconds float64) error {
	p := &f.progress
	line := Epoch{
		Epoch: p.Epoch, TrainLoss: p.Smoothed.value(), ValidLoss: evaluation.Loss, Accuracy: evaluation.Accuracy,
		Seconds: p.EpochSeconds + seconds,
	}
	best := f.better(line, evaluation)
	p.History = append(p.History, line)
	p.Epoch, p.Batch, p.EpochSeconds = p.Epoch+1, 0, 0
	p.TotalSeconds += seconds
	f.evaluation = evaluation
	f.goOn(f.Run.writeHistory(p.History))
	if best || f.Saving.dueAtEnd(p.Epoch) {
		if err := f.save(best); err != nil {
			return err
		}
	}
	for _, w := range f.Watchers {
		w.EpochEnds(line)
	}
	return nil
}

// goOn says that a file of the run could not be written. The training does not
// end for it: what the file is to hold is in memory, too.
func (f *fit) goOn(err error) {
	if err != nil && time.Since(f.complained) >= f.Saving.Retry {
		f.complained = time.Now()
		f.Log.Warn("the run folder cannot be written; the training goes on and tries again", "reason", err)
	}
}

// save hands a checkpoint to the saver. Every process calls it: each has random
// states to give.
func (f *fit) save(best bool) error {
	if err := f.settleAll(); err != nil {
		return err
	}
	head, tensors, err := f.snapshot()
	if err != nil || f.saver == nil {
		return err
	}
	f.saver.start(&saveJob{head, tensors, best})
	return nil
}

// stopped ends a training early: when its context ended, with a checkpoint.
func (f *fit) stopped(ctx context.Context, began time.Time, err error) error {
	if !errors.Is(err, errAsked) && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		return err
	}
	seconds := time.Since(began).Seconds()
	f.progress.EpochSeconds += seconds
	f.progress.TotalSeconds += seconds
	f.goOn(f.Run.writeHistory(f.progress.History))
	failed := f.save(false)
	if failed == nil && f.saver != nil {
		failed = f.saver.wait()
	}
	if failed != nil {
		return fmt.Errorf("%w: %w", ErrNotSaved, failed)
	}
	f.Log.Info("stopped", "step", f.progress.Step) // whoever follows the run's log learns of it
	return ErrStopped
}
