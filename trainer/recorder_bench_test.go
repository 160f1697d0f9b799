package trainer

import (
	"log/slog"
	"path/filepath"
	"testing"
)

// BenchmarkRecorder is what the recorder adds to every step without activations: the smoothed loss, the memory, the
// row of steps.csv, the watch for a loss at chance.
func BenchmarkRecorder(b *testing.B) {
	run, err := NewRun(filepath.Join(b.TempDir(), "run"), quick())
	if err != nil {
		b.Fatal(err)
	}
	defer run.Close()
	log := slog.New(slog.DiscardHandler)
	var smoothed smoothedLoss
	var h health
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		loss := 1 / float64(i%1000+1)
		record := Step{Step: i, LearningRate: 0.0012345678, Momentum: 0.9512345, Loss: loss, SmoothedLoss: smoothed.add(loss),
			ImagesPerSecond: 430.123, DataWaitSeconds: 0.000123, MemoryMiB: residentMiB()}
		if err := run.addStep(record); err != nil {
			b.Fatal(err)
		}
		h.seeLoss(log, i, 6, loss)
	}
}
