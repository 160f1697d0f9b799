package trainer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

// colourSet writes a set that a network learns in a few steps: noisy red,
// green and blue squares.
func colourSet(t *testing.T, each int) *data.Dataset {
	t.Helper()
	dir := t.TempDir()
	testdata.NoisySet(t, dir, rand.New(rand.NewPCG(1, 2)), 48, 40, each, "blue", "green", "red")
	return openSet(t, dir)
}

func openSet(t *testing.T, dir string) *data.Dataset {
	t.Helper()
	set, err := data.Open(t.Context(), dir, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// quick is a recipe that trains on colourSet within a second.
func quick() Recipe {
	r := Article()
	r.Size, r.ItemSize, r.BatchSize, r.Epochs, r.Threads, r.Workers = 32, 40, 8, 2, 1, 2
	return r
}

func options(run *Run, set *data.Dataset, watchers ...Watcher) Options {
	return Options{Run: run, Pictures: data.NewCache(set, 0), Log: slog.New(slog.DiscardHandler), Started: time.Now(), Watchers: watchers}
}

func newRun(t *testing.T, recipe Recipe) *Run {
	t.Helper()
	run, err := NewRun(filepath.Join(t.TempDir(), "run"), recipe)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func closeRun(t *testing.T, run *Run) {
	t.Helper()
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
}

// stopAt ends a context when a step of the run has ended.
type stopAt struct {
	step   int
	cancel context.CancelFunc
	losses []float64
}

func (s *stopAt) EpochStarts(int, int, int) {}
func (s *stopAt) EpochEnds(Epoch)           {}
func (s *stopAt) StepEnds(step Step) {
	s.losses = append(s.losses, step.Loss)
	if step.Step == s.step && s.cancel != nil {
		s.cancel()
	}
}

func TestFitLearnsAndWritesItsFolder(t *testing.T) {
	set, recipe := colourSet(t, 40), quick()
	recipe.Epochs = 8
	run := newRun(t, recipe)
	result, err := Fit(t.Context(), recipe, set, options(run, set))
	if err != nil {
		t.Fatal(err)
	}
	closeRun(t, run)
	if result.Accuracy < 0.9 {
		t.Errorf("accuracy %.3f on three plain colours, want at least 0.9", result.Accuracy)
	}
	if result.TrainImages != 96 || result.ValidImages != 24 || result.Epochs != 8 {
		t.Errorf("trained %d, validated %d, %d epochs; want 96, 24, 8", result.TrainImages, result.ValidImages, result.Epochs)
	}
	for name, lines := range map[string]int{historyFile: 9, stepsFile: 97} {
		text, err := os.ReadFile(run.path(name))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(text), "\n"); got != lines {
			t.Errorf("%s has %d lines, want %d", name, got, lines)
		}
	}
	for _, name := range []string{recipeFile, resultFile, evaluationFile, predictionFile, modelFile, "checkpoints/step-96.safetensors", "checkpoints/best.safetensors"} {
		if _, err := os.Stat(run.path(name)); err != nil {
			t.Error(err)
		}
	}
	evaluateAgain(t, run.Dir, set, result.Accuracy)
}

// evaluateAgain opens the finished run: on all pictures it must do about as well as on the held-out ones.
func evaluateAgain(t *testing.T, dir string, set *data.Dataset, accuracy float64) {
	t.Helper()
	saved, err := OpenSaved(dir, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	evaluation, err := saved.Evaluate(t.Context(), set, func(i int, reason error) { t.Error(i, reason) })
	if err != nil {
		t.Fatal(err)
	}
	if evaluation.Images != len(set.Samples) || math.Abs(evaluation.Accuracy-accuracy) > 0.1 {
		t.Errorf("evaluated %d pictures to %.3f, want %d near %.3f", evaluation.Images, evaluation.Accuracy, len(set.Samples), accuracy)
	}
	picture, err := set.Picture(0)
	if err != nil {
		t.Fatal(err)
	}
	prediction, err := saved.Predict("first", picture)
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, p := range prediction.Top {
		total += p.Probability
	}
	if len(prediction.Top) != 3 || math.Abs(total-1) > 1e-6 || prediction.Class != prediction.Top[0].Class {
		t.Errorf("prediction %+v: want three classes whose probabilities sum to 1", prediction)
	}
}

// TestResumeIsBitEqual stops a training in mid-epoch and after an epoch and
// continues it: losses and weights must be those of a training that was left alone.
func TestResumeIsBitEqual(t *testing.T) { resumesBitEqual(t, quick(), 0, 2, 5, 8) }

// resumesBitEqual trains the recipe once undisturbed and once for each step after which it is stopped.
func resumesBitEqual(t *testing.T, recipe Recipe, steps ...int) {
	t.Helper()
	set := colourSet(t, 20)
	whole := newRun(t, recipe)
	undisturbed := &stopAt{step: -1}
	if _, err := Fit(t.Context(), recipe, set, options(whole, set, undisturbed)); err != nil {
		t.Fatal(err)
	}
	closeRun(t, whole)
	want := modelBytes(t, whole.Dir)
	for _, step := range steps {
		t.Run(fmt.Sprintf("after step %d", step), func(t *testing.T) {
			run := newRun(t, recipe)
			ctx, cancel := context.WithCancel(t.Context())
			watcher := &stopAt{step: step, cancel: cancel}
			if _, err := Fit(ctx, recipe, set, options(run, set, watcher)); !errors.Is(err, ErrStopped) {
				t.Fatalf("error = %v, want ErrStopped", err)
			}
			closeRun(t, run)
			resume(t, run.Dir, recipe, set, watcher)
			if fmt.Sprint(watcher.losses) != fmt.Sprint(undisturbed.losses) {
				t.Errorf("losses differ:\n%v\nwant\n%v", watcher.losses, undisturbed.losses)
			}
			for name, bytes := range modelBytes(t, run.Dir) {
				if string(bytes) != string(want[name]) {
					t.Errorf("tensor %s differs from the undisturbed run's", name)
				}
			}
		})
	}
}

func resume(t *testing.T, dir string, recipe Recipe, set *data.Dataset, watcher *stopAt) {
	t.Helper()
	watcher.cancel = nil
	scope := torch.NewScope()
	defer scope.Close()
	checkpoint, err := ReadCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Fits(set, recipe, "", 1); err != nil {
		t.Fatal(err)
	}
	run, err := ContinueRun(dir, checkpoint.Step())
	if err != nil {
		t.Fatal(err)
	}
	defer closeRun(t, run)
	o := options(run, set, watcher)
	o.Resume = checkpoint
	if _, err := Fit(t.Context(), recipe, set, o); err != nil {
		t.Fatal(err)
	}
}

func modelBytes(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	scope := torch.NewScope()
	defer scope.Close()
	tensors, err := safetensors.Load(filepath.Join(dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	bytes := map[string][]byte{}
	for name, tensor := range tensors {
		bytes[name] = []byte(fmt.Sprint(tensor.Shape(), tensor.Dtype(), rawBytes(tensor)))
	}
	return bytes
}

// TestStopFile asks a run to stop the way the live page does.
func TestStopFile(t *testing.T) {
	set, recipe := colourSet(t, 20), quick()
	recipe.Epochs = 1000
	run := newRun(t, recipe)
	defer closeRun(t, run)
	if err := os.WriteFile(run.path(stopFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Fit(t.Context(), recipe, set, options(run, set)); !errors.Is(err, ErrStopped) {
		t.Fatalf("error = %v, want ErrStopped", err)
	}
	if _, err := os.Stat(run.path(stopFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the request is still there: %v", err)
	}
	if steps, err := stepCheckpoints(run.Dir); err != nil || len(steps) != 1 {
		t.Errorf("checkpoints %v, %v; want one", steps, err)
	}
}

func TestCheckpointRefusesAnotherSetOrRecipe(t *testing.T) {
	set, recipe := colourSet(t, 20), quick()
	recipe.Epochs = 1
	run := newRun(t, recipe)
	if _, err := Fit(t.Context(), recipe, set, options(run, set)); err != nil {
		t.Fatal(err)
	}
	closeRun(t, run)
	scope := torch.NewScope()
	defer scope.Close()
	checkpoint, err := ReadCheckpoint(run.Dir)
	if err != nil {
		t.Fatal(err)
	}
	changed := recipe
	changed.LearningRate = 0.1
	if _, err := checkpoint.Fits(set, changed, "", 1); err == nil || !strings.Contains(err.Error(), "lr was 0.003, is 0.1") {
		t.Errorf("another lr: %v", err)
	}
	if _, err := checkpoint.Fits(colourSet(t, 21), recipe, "", 1); err == nil || !strings.Contains(err.Error(), "other pictures") {
		t.Errorf("another set: %v", err)
	}
	other := *set
	other.Classes = []string{"blue", "green", "violet"}
	if _, err := checkpoint.Fits(&other, recipe, "", 1); err == nil || !strings.Contains(err.Error(), "violet") {
		t.Errorf("another class list: %v", err)
	}
}

func TestFitRefusesWhatCannotBeTrained(t *testing.T) {
	set := colourSet(t, 4)
	for want, change := range map[string]func(*Recipe){
		"larger than the training split": func(r *Recipe) { r.BatchSize = 64 },
		"12 pictures to train on and 0":  func(r *Recipe) { r.ValidPct = 0.01 },
		"it must be one of: cnn8":        func(r *Recipe) { r.Model = "cnn9" },
		"device cuda was asked for":      func(r *Recipe) { r.Device = "cuda" },
	} {
		recipe := quick()
		change(&recipe)
		run := newRun(t, recipe)
		if _, err := Fit(t.Context(), recipe, set, options(run, set)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
		closeRun(t, run)
	}
}

// TestUnreadablePicturesAreCounted trains on a set of which two pictures are cut off behind a good header.
func TestUnreadablePicturesAreCounted(t *testing.T) {
	set := colourSet(t, 20)
	for _, i := range []int{3, 30} {
		path := filepath.Join(set.Source, filepath.FromSlash(set.Samples[i].Path))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text[:len(text)/2], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set = openSet(t, set.Source)
	recipe := quick()
	run := newRun(t, recipe)
	defer closeRun(t, run)
	result, err := Fit(t.Context(), recipe, set, options(run, set))
	if err != nil {
		t.Fatal(err)
	}
	if result.SkippedImages != 2 {
		t.Errorf("%d pictures skipped, want 2", result.SkippedImages)
	}
}

func TestOneWriterPerRunFolder(t *testing.T) {
	recipe := quick()
	run := newRun(t, recipe)
	if _, err := ContinueRun(run.Dir, 0); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second writer: %v", err)
	}
	closeRun(t, run)
	if _, err := NewRun(run.Dir, recipe); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("a folder with a run in it: %v", err)
	}
}

func TestFreshDirCountsUp(t *testing.T) {
	base := filepath.Join(t.TempDir(), "planets")
	for _, want := range []string{base, base + "-2", base + "-3"} {
		got, err := FreshDir(base)
		if err != nil || got != want {
			t.Fatalf("FreshDir = %s, %v; want %s", got, err, want)
		}
		if err := os.Mkdir(got, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// rawBytes gives a tensor's values bit by bit, whatever their dtype.
func rawBytes(t torch.Tensor) []float64 { return torch.Values[float64](t.CastTo(torch.Double)) }
