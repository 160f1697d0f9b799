package report

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// Whatever numbers a run holds, plots, page and text come to an end.
func TestExtremeNumbersAreDrawn(t *testing.T) {
	number := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)), rapid.SampledFrom([]float64{0, 1e20, 1e20 * (1 + 4e-16), -1e308, 1e308, 5e-324, 1 << 60}))
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(base, "run")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		r := &Run{Dir: dir, Name: "x"}
		for i := range rapid.IntRange(0, 4).Draw(t, "steps") {
			r.Steps = append(r.Steps, Step{Step: i * rapid.SampledFrom([]int{1, 1 << 60}).Draw(t, "stride"), Epoch: i / 2, LearningRate: number.Draw(t, "lr"),
				Momentum: number.Draw(t, "momentum"), Loss: number.Draw(t, "loss"), SmoothedLoss: number.Draw(t, "smoothed"), ImagesPerSecond: number.Draw(t, "speed"), DataWait: number.Draw(t, "wait"), Memory: number.Draw(t, "memory")})
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "epochs") {
			r.History = append(r.History, Epoch{Epoch: i + rapid.SampledFrom([]int{0, 1 << 60}).Draw(t, "first"), TrainLoss: number.Draw(t, "train"), ValidLoss: number.Draw(t, "valid"),
				Accuracy: number.Draw(t, "accuracy"), Seconds: number.Draw(t, "seconds")})
		}
		r.Result = &Result{Accuracy: number.Draw(t, "accuracy"), Seconds: number.Draw(t, "seconds"), ImagesPerSecond: number.Draw(t, "speed")}
		if err := writePage(filepath.Join(dir, "report.html"), "report.html", r.view); err != nil {
			t.Fatal(err)
		}
		r.Text(TextOptions{Width: 60, Rows: 5})
		for _, ticks := range []interface{ count(low, high float64) int }{counted{}, countedWhole{}} {
			low, high := number.Draw(t, "low"), number.Draw(t, "high")
			if n := ticks.count(low, high); n > 20 {
				t.Fatalf("%d ticks from %v to %v", n, low, high)
			}
		}
	})
}

type counted struct{}

func (counted) count(low, high float64) int { return len(roundTicks{}.Ticks(low, high)) }

type countedWhole struct{}

func (countedWhole) count(low, high float64) int { return len(wholeTicks{}.Ticks(low, high)) }

// A run folder cut at any byte of any file still gives a page.
func TestEveryFileCutAnywhere(t *testing.T) {
	whole := writeSample(t, 2, 4, sampleClasses)
	for _, file := range []string{"recipe.yaml", "history.csv", "steps.csv", "result.json", "evaluation.json", "predictions.csv", "activations.npz", "log.jsonl", "plots/show-batch.png"} {
		path := filepath.Join(whole, filepath.FromSlash(file))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for part := range 5 {
			if err := os.WriteFile(path, text[:len(text)*part/5], 0o666); err != nil {
				t.Fatal(err)
			}
			r, err := Load(whole)
			if err == nil {
				err = writePage(filepath.Join(whole, "report.html"), "report.html", r.view)
			}
			if err != nil {
				t.Errorf("%s cut at %d of 5: %v", file, part, err)
			}
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExtremeNumbersArePlotted(t *testing.T) {
	for _, values := range [][3]float64{{1e308, -1e308, 0}, {1e20, 1e20 * (1 + 4e-16), 1e20}, {5e-324, 0, 5e-324}, {math.NaN(), math.Inf(1), math.NaN()}, {7, 7, 7}} {
		r := &Run{Dir: t.TempDir()}
		for i, v := range values {
			r.Steps = append(r.Steps, Step{Step: i, Epoch: i, LearningRate: v, Momentum: v, Loss: v, SmoothedLoss: v})
			r.History = append(r.History, Epoch{Epoch: i, TrainLoss: v, ValidLoss: v, Accuracy: v})
		}
		if written, err := r.WritePlots(); err != nil || len(written) != 3 {
			t.Errorf("%v: wrote %q, %v", values, written, err)
		}
	}
}
