package trainer

import (
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/models"
)

// Whatever a recipe gathers beside the weights comes back from a checkpoint: averages, sums of gradients within a step, slow weights,
// both of Muon's rules, drop path's random numbers, mixed pictures, the size of an epoch, frozen stages.
func TestResumeIsBitEqualWithEveryMethod(t *testing.T) {
	change := map[string]func(*Recipe){
		"ema, accumulation, clipping": func(r *Recipe) { r.EMA, r.Accumulate, r.ClipNorm, r.Optimizer = 0.9, 4, 1, AdamW },
		"lookahead, mixup, cosine":    func(r *Recipe) { r.Lookahead, r.MixUp, r.Schedule, r.WarmupEpochs = 2, 0.4, Cosine, 0.5 },
		"muon, cutmix, bce":           func(r *Recipe) { r.Optimizer, r.CutMix, r.Loss, r.LabelSmoothing = Muon, 1, BCE, 0.1 },
		"lion, dropout, weights":      func(r *Recipe) { r.Optimizer, r.Dropout, r.LossWeights, r.LearningRate = Lion, 0.3, "balanced", 3e-4 },
		"fine-tune, drop path": func(r *Recipe) {
			r.Model, r.DropPath = "mobilenet_v3_small", 0.2
			*r = r.FineTuned(1)
		},
		"sgd, sizes, focal": func(r *Recipe) { r.Optimizer, r.StartSize, r.Loss, r.Schedule = SGD, 24, Focal, FlatCosine },
		"rmsprop, step":     func(r *Recipe) { r.Optimizer, r.Schedule, r.StepEpochs = RMSprop, StepDecay, 1 },
		"muon-sgd, whitening": func(r *Recipe) {
			r.Model, r.Width, r.Optimizer, r.Schedule, r.LearningRate, r.WeightDecay = "speednet", 0.125, MuonSGD, Linear, 0.24, 2e-6
		},
		"lamb, linear": func(r *Recipe) { r.Optimizer, r.Schedule = LAMB, Linear },
	}
	for name, f := range change {
		t.Run(name, func(t *testing.T) {
			recipe := quick()
			f(&recipe)
			steps := []int{4, 5} // within the first epoch, and after it
			if long() {
				steps = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
			}
			resumesBitEqual(t, recipe, steps...)
		})
	}
}

// The head alone moves while the body is frozen; afterwards all does.
func TestFineTuneFreezesTheBody(t *testing.T) {
	recipe := quick()
	recipe.Model = "mobilenet_v3_small"
	recipe.Freeze, recipe.Epochs = 99, 1
	dir := trained(t, colourSet(t, 20), recipe)
	scope := torch.NewScope()
	defer scope.Close()
	got, err := safetensors.Load(filepath.Join(dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	torch.ManualSeed(recipe.Seed)
	fresh, err := newModel(recipe, 3)
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for name, was := range fresh.StateDict() {
		switch same := torch.Equal(got[name], was); {
		case strings.HasPrefix(name, "classifier.") && !same:
			moved++
		case !strings.HasPrefix(name, "classifier.") && !same:
			t.Errorf("the frozen %s moved", name)
		}
	}
	if moved != 4 {
		t.Errorf("%d of the head's 4 tensors moved", moved)
	}
}

// A run starts from another's weights where the head has other classes, and takes the weights' normalisation along.
func TestPretrainedWeights(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "weights.safetensors")
	var stem []float32
	func() {
		scope := torch.NewScope()
		defer scope.Close()
		other, err := models.New("mobilenet_v3_small", models.Options{Classes: 7})
		if err != nil {
			t.Fatal(err)
		}
		stem = torch.Values[float32](other.StateDict()["features.0.0.weight"])
		if err := safetensors.Save(file, other.StateDict(), nil); err != nil {
			t.Fatal(err)
		}
	}()
	recipe := quick()
	recipe.Model, recipe.Pretrained, recipe.Freeze, recipe.Epochs = "mobilenet_v3_small", file, 99, 1
	recipe, err := recipe.Settle()
	if err != nil {
		t.Fatal(err)
	}
	if recipe.Normalize != "imagenet" {
		t.Errorf("normalize is %q, want imagenet", recipe.Normalize)
	}
	run := trained(t, colourSet(t, 20), recipe)
	scope := torch.NewScope()
	defer scope.Close()
	got, err := safetensors.Load(filepath.Join(run, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range torch.Values[float32](got["features.0.0.weight"]) {
		if x != stem[i] {
			t.Fatal("the stem is not the file's")
		}
	}
	recipe.Model = "resnet18"
	broken := newRun(t, recipe)
	defer closeRun(t, broken)
	set := colourSet(t, 20)
	if _, err := Fit(t.Context(), recipe, set, options(broken, set)); err == nil || !strings.Contains(err.Error(), "not those of resnet18") {
		t.Errorf("error %v does not say that the weights are another network's", err)
	}
}

func TestPatienceEndsTheTraining(t *testing.T) {
	recipe := quick()
	recipe.Epochs, recipe.Patience, recipe.LearningRate, recipe.BestBy = 6, 2, 1e-12, "macro_f1"
	recipe.BatchNorm = false // its statistics would move
	set := colourSet(t, 20)
	run := newRun(t, recipe)
	defer closeRun(t, run)
	result, err := Fit(t.Context(), recipe, set, options(run, set))
	if err != nil {
		t.Fatal(err)
	}
	if result.Epochs != 3 {
		t.Errorf("weights that stay as they are were trained for %d epochs, want 3", result.Epochs)
	}
}

func TestMetrics(t *testing.T) {
	// 10 pictures of a, 8 found; 2 of b, 1 found; c occurs nowhere.
	confusion := [][]int{{8, 2, 0}, {1, 1, 0}, {0, 0, 0}}
	if got, want := balancedAccuracy(confusion), (0.8+0.5)/2; !near(got, want, 1e-12) {
		t.Errorf("balanced accuracy %v, want %v", got, want)
	}
	if got, want := macroF1(confusion), (16.0/19+2.0/5)/3; !near(got, want, 1e-12) {
		t.Errorf("macro F1 %v, want %v", got, want)
	}
}

func TestSizesGrow(t *testing.T) {
	r := Article()
	r.Epochs, r.StartSize, r.Size = 8, 96, 160
	var got []int
	for epoch := range r.Epochs {
		got = append(got, r.sizeAt(epoch))
	}
	want := []int{96, 104, 120, 128, 136, 152, 160, 160}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("sizes %v, want %v", got, want)
		}
	}
}
