package trainer

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
)

// finish writes the model, its evaluation and the result of a training that
// reached its last epoch.
func (f *fit) finish(ctx context.Context) (*Result, error) {
	if f.evaluation == nil { // a resumed run had nothing left to train
		var err error
		if f.evaluation, err = f.evaluate(ctx); err != nil {
			return nil, err
		}
	}
	p := f.progress
	last := p.History[len(p.History)-1]
	result := &Result{
		Accuracy: last.Accuracy, ValidLoss: last.ValidLoss,
		TrainImages: len(f.training), ValidImages: len(f.validation), SkippedImages: len(f.set.Skipped) + len(f.skipped),
		Epochs: len(p.History), Seconds: p.TotalSeconds,
		FirstStepSeconds: p.FirstStep, PeakRSSBytes: peakRSS(),
		Device: f.deviceName, Threads: torch.NumThreads(), Libtorch: torch.Library().Torch,
		Commit: f.Commit, Command: f.Command, Classes: f.set.Classes, Recipe: f.recipe,
	}
	if p.TrainSeconds > 0 {
		result.ImagesPerSecond = float64(p.TrainedImages) / p.TrainSeconds
		result.DataWaitFraction = p.WaitSeconds / p.TrainSeconds
	}
	if f.Run == nil {
		return result, nil
	}
	if err := f.testTime(ctx, result); err != nil {
		return nil, err
	}
	f.saver.wait() //nolint:errcheck // it was said in the log
	return result, f.persist(ctx, func() error {
		for _, write := range []func() error{
			f.saveModel,
			func() error { return f.Run.writeHistory(p.History) },
			func() error { return atomicfile.WriteJSON(f.Run.path(evaluationFile), f.evaluation) },
			func() error { return f.Run.writePredictions(len(f.set.Classes), f.evaluation.predictions) },
			func() error { return atomicfile.WriteJSON(f.Run.path(resultFile), result) }, // last: it says that the run is finished
		} {
			if err := write(); err != nil {
				return err
			}
		}
		return nil
	})
}

// testTime notes what test-time augmentation makes of the validation split.
func (f *fit) testTime(ctx context.Context, result *Result) error {
	if f.recipe.TTA == 0 {
		return nil
	}
	var found TestTime
	var err error
	f.optimizer.average.within(func() {
		found, err = testTime(ctx, f.recipe, f.model, f.device, f.set, f.Pictures, f.evaluation, f.recipe.TTA)
	})
	result.TestTime = &found
	return err
}

// persist writes the results of a training, trying again for a while when the
// disk refuses.
func (f *fit) persist(ctx context.Context, write func() error) error {
	deadline := time.Now().Add(f.Saving.Patience)
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := write()
		if err == nil || time.Now().Add(pause).After(deadline) {
			return err
		}
		f.Log.Warn("the results cannot be written; trying again", "for", time.Until(deadline).Round(time.Second), "reason", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// peakRSS is the most memory the process held at once, in bytes; 0 where the
// system does not say.
func peakRSS() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Maxrss * 1024 // Linux counts in KiB
}
