package trainer

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
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

// BenchmarkActivations tells what --activations adds to a step of the article's network, 200 px and batch 64 on two
// threads: steps with and without take turns, so that other work on the machine falls on both. Medians, ms.
func BenchmarkActivations(b *testing.B) {
	for _, kernels := range []string{"own", "libtorch"} {
		b.Run(kernels, func(b *testing.B) {
			scope := torch.NewScope()
			defer scope.Close()
			recipe := Article()
			recipe.Threads, recipe.Kernels = 2, kernels
			if err := useCPU(recipe, nil); err != nil {
				b.Fatal(err)
			}
			torch.ManualSeed(recipe.Seed)
			model, err := newModel(recipe, 4)
			if err != nil {
				b.Fatal(err)
			}
			toDevice(model, cpu())
			optimizer := newOptimizer(model, recipe)
			defer optimizer.Close()
			x := torch.Rand([]int64{64, 200, 200, 3}, false).Permute([]int64{0, 3, 1, 2})
			labels := torch.RandInt(0, 4, []int64{64}).To(cpu(), torch.Long)
			step := func(watch bool) float64 {
				inner := torch.NewScope()
				defer inner.Close()
				began := time.Now()
				if watch {
					observer := nn.Observe(model)
					defer observer.Close()
					defer observer.Read()
				}
				optimise(model, optimizer, x, target{labels: labels}, 1e-3, flatMomentum, nil, false, always)
				return float64(time.Since(began)) / 1e6
			}
			for i := range 6 {
				step(i%2 == 1)
			}
			var without, with []float64
			for b.Loop() {
				without, with = append(without, step(false)), append(with, step(true))
			}
			slices.Sort(without)
			slices.Sort(with)
			middle := len(with) / 2
			b.ReportMetric(without[middle], "ms/without")
			b.ReportMetric(with[middle]-without[middle], "ms/more")
			b.ReportMetric(100*(with[middle]/without[middle]-1), "%more")
		})
	}
}
