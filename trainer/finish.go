package trainer

import (
	"errors"

	"golang.org/x/sys/unix"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
)

// finish writes the model, its evaluation and the result of a training that
// reached its last epoch.
func (f *fit) finish() (*Result, error) {
	p := f.progress
	last := p.History[len(p.History)-1]
	result := &Result{
		Accuracy: last.Accuracy, ValidLoss: last.ValidLoss,
		TrainImages: f.trainSize, ValidImages: f.validSize, SkippedImages: len(f.set.Skipped) + len(f.skipped),
		Epochs: len(p.History), Seconds: p.TotalSeconds,
		FirstStepSeconds: p.FirstStep, PeakRSSBytes: peakRSS(),
		Device: f.deviceName, Threads: torch.NumThreads(), Libtorch: torch.Library().Torch,
		Commit: f.Commit, Command: f.Command, Classes: f.set.Classes, Recipe: f.recipe,
	}
	if p.TrainSeconds > 0 {
		result.ImagesPerSecond = float64(p.TrainedImages) / p.TrainSeconds
		result.DataWaitFraction = p.WaitSeconds / p.TrainSeconds
	}
	err := f.saveModel()
	if f.evaluation != nil { // nil when a resumed run had nothing left to train
		err = errors.Join(err, atomicfile.WriteJSON(f.Run.path(evaluationFile), f.evaluation),
			f.Run.writePredictions(len(f.set.Classes), f.evaluation.predictions))
	}
	return result, errors.Join(err, atomicfile.WriteJSON(f.Run.path(resultFile), result))
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
