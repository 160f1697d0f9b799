package trainer

import (
	"bytes"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"
)

// fitted trains and gives the weights, the result and what was logged.
func fitted(t *testing.T, recipe Recipe, change func(*Options)) (map[string][]float32, *Result, string) {
	t.Helper()
	set := colourSet(t, 16)
	run := newRun(t, recipe)
	o := options(run, set)
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	change(&o)
	result, err := Fit(t.Context(), recipe, set, o)
	if err != nil {
		t.Fatal(err)
	}
	closeRun(t, run)
	scope := torch.NewScope()
	defer scope.Close()
	tensors, err := safetensors.Load(filepath.Join(run.Dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string][]float32{}
	for name, w := range tensors {
		if w.Dtype() == torch.Float {
			weights[name] = torch.Values[float32](w)
		}
	}
	return weights, result, log.String()
}

// furthest is the largest difference of two runs' weights.
func furthest(t *testing.T, a, b map[string][]float32) float64 {
	t.Helper()
	worst := 0.0
	for name, w := range a {
		if len(w) != len(b[name]) {
			t.Fatalf("%s has %d values and %d", name, len(w), len(b[name]))
		}
		for i := range w {
			d := math.Abs(float64(w[i] - b[name][i]))
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			worst = max(worst, d)
		}
	}
	return worst
}

func nothing(*Options) {}

// Training in 16 bits keeps weights in float32, learns, and is another arithmetic.
func TestSixteenBitTraining(t *testing.T) {
	recipe := quick()
	recipe.Epochs, recipe.Depth = 8, 5 // no convolution of one pixel: see the warning
	whole, _, _ := fitted(t, recipe, nothing)
	for _, amp := range []string{BF16, FP16} {
		recipe.AMP = amp
		weights, result, log := fitted(t, recipe, nothing)
		if result.Accuracy < 0.6 {
			t.Errorf("%s: accuracy %.3f on three plain colours", amp, result.Accuracy)
		}
		if d := furthest(t, whole, weights); d == 0 || math.IsInf(d, 0) {
			t.Errorf("%s: weights differ by %g from float32's", amp, d)
		}
		if !strings.Contains(log, "precision="+amp) {
			t.Errorf("%s: the log does not say so: %s", amp, log)
		}
	}
}

// A resumed float16 run goes on with the scale it had.
func TestResumeIsBitEqualInFloat16(t *testing.T) {
	recipe := quick()
	recipe.AMP = FP16
	resumesBitEqual(t, recipe, 5)
}

// A scaled loss gives the gradients of an unscaled one, and a step with an overflow is left out.
func TestLossScaleInAStep(t *testing.T) {
	for _, name := range []string{Adam, Muon} {
		recipe := quick()
		recipe.Optimizer = name
		step := func(scaled bool, factor float64) map[string][]float32 {
			scope := torch.NewScope()
			defer scope.Close()
			torch.ManualSeed(3)
			model, err := newModel(recipe, 3)
			if err != nil {
				t.Fatal(err)
			}
			o := newOptimizer(model, recipe)
			defer o.Close()
			if scaled {
				o.scaleLoss(torch.CPU)
			}
			x := torch.Rand([]int64{4, 3, 32, 32}, false).MulScalar(factor)
			optimise(model, o, x, target{labels: torch.NewTensor([]int64{0, 1, 2, 0})}, 1e-3, 0.9, nil, true, always)
			weights := map[string][]float32{}
			for _, n := range model.Named() {
				if !n.Buffer {
					weights[n.Name] = torch.Values[float32](n.Tensor.Detach())
				}
			}
			return weights
		}
		if d := furthest(t, step(false, 1), step(true, 1)); d > 1e-5 {
			t.Errorf("%s: scaled and unscaled steps differ by %g", name, d)
		}
		torch.ManualSeed(3)
		scope := torch.NewScope()
		model, err := newModel(recipe, 3)
		if err != nil {
			t.Fatal(err)
		}
		fresh := map[string][]float32{}
		for _, n := range model.Named() {
			if !n.Buffer {
				fresh[n.Name] = torch.Values[float32](n.Tensor.Detach())
			}
		}
		scope.Close()
		if d := furthest(t, fresh, step(true, math.Inf(1))); d != 0 {
			t.Errorf("%s: a step that overflowed moved weights by %g", name, d)
		}
	}
}

var errNoMemory = &torch.Error{Op: "Conv2d", Message: "CUDA out of memory. Tried to allocate 2.00 GiB"}

// A batch that does not fit is taken in parts, and comes to the same.
func TestOutOfMemoryHalvesTheBatch(t *testing.T) {
	recipe := quick()
	recipe.BatchNorm = false // its statistics are a part's
	recipe.Epochs, recipe.LearningRate = 1, 1e-3
	whole, _, log := fitted(t, recipe, nothing)
	if strings.Contains(log, "out of memory") {
		t.Fatalf("out of memory without need: %s", log)
	}
	weights, result, log := fitted(t, recipe, func(o *Options) {
		o.fits = func(n int) error {
			if n > 3 {
				return errNoMemory
			}
			return nil
		}
	})
	if d := furthest(t, whole, weights); d > 1e-5 {
		t.Errorf("in parts, weights differ by %g", d)
	}
	if strings.Count(log, "out of memory: each batch") != 2 || !strings.Contains(log, "parts=4") || !strings.Contains(log, "pictures_a_part=2") {
		t.Errorf("the log says %s", log)
	}
	if result.Epochs != 1 {
		t.Errorf("%d epochs", result.Epochs)
	}
}

func TestOutOfMemoryForGoodSaysTheSizes(t *testing.T) {
	for says, change := range map[string]func(*Recipe){
		"1 pictures of 32x32 pixels": func(*Recipe) {},
		"raise --accumulate":         func(r *Recipe) { r.Accumulate = 2 },
	} {
		set, recipe := colourSet(t, 16), quick()
		change(&recipe)
		run := newRun(t, recipe)
		o := options(run, set)
		calls := 0
		o.fits = func(int) error {
			if calls++; recipe.Accumulate == 2 && calls == 1 {
				return nil
			}
			return errNoMemory
		}
		_, err := Fit(t.Context(), recipe, set, o)
		closeRun(t, run)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "cnn8") {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
