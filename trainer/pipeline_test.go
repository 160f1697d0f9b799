package trainer

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
)

const augmented = `size: 999
transforms:
  - random_resized_crop: {size: 40, min_scale: 0.5}
  - trivial_augment
  - flip
  - sample: {size: 32}
  - saturation: {p: 1}
  - normalize
  - random_erasing: {p: 1}
  - cutmix
class_weights: {red: 3}
sampling: balanced
`

func TestRecipeWithTransforms(t *testing.T) {
	r, err := LoadRecipe(writeRecipe(t, augmented), quick())
	if err != nil {
		t.Fatal(err)
	}
	if r.Size != 32 || r.ItemSize != 40 || len(r.Transforms) != 8 {
		t.Errorf("size %d, item size %d, %d transforms", r.Size, r.ItemSize, len(r.Transforms))
	}
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadRecipe(writeRecipe(t, string(text)), Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("through YAML (-want +got):\n%s", diff)
	}
	if text, err = json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	again = Recipe{}
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("through JSON (-want +got):\n%s", diff)
	}
	changed := again
	changed.Transforms = append(augment.List{}, r.Transforms...)
	changed.Transforms[2] = augment.Flip{P: 0.25}
	changed.ClassWeights = nil
	changes := strings.Join(recipeChanges(r, changed), "; ")
	if !strings.Contains(changes, "0.25") || !strings.Contains(changes, "class_weights was {red: 3}, is none") {
		t.Errorf("changes: %s", changes)
	}
}

func TestBadTransforms(t *testing.T) {
	for text, want := range map[string]string{
		"transforms: [resise]":                              `did you mean "resize"`,
		"transforms:\n- flip":                               "begins with resize",
		"transforms:\n- resize: {side: 3}":                  "side",
		"transforms:\n- resize: {size: 3}\n- warp:\n- flip": "flip comes after warp",
		"transform: []":                                     `did you mean "transforms"`,
		"class_weight: {a: 1}":                              `did you mean "class_weights"`,
	} {
		if _, err := LoadRecipe(writeRecipe(t, text), Article()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v does not mention %q", text, err, want)
		}
	}
	r := quick()
	r.Transforms = augment.List{augment.Resize{Size: 24}}
	if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "the transforms end at 24") {
		t.Errorf("two sizes: %v", err)
	}
}

// TestSampling counts what an epoch of a lopsided set brings.
func TestSampling(t *testing.T) {
	set := colourSet(t, 40)
	var kept []int
	for i, s := range set.Samples { // 40 blue, 8 green, 8 red
		if s.Label == 0 || i%5 == 0 {
			kept = append(kept, i)
		}
	}
	shares := func(change func(*Recipe)) [3]float64 {
		r := quick()
		change(&r)
		l, err := loader(r, set, set, kept, augment.LoaderOptions{BatchSize: 8, Train: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var count [3]float64
		total := 0.0
		for epoch := range 12 {
			it := l.Epoch(t.Context(), epoch)
			for {
				batch, err := it.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, label := range batch.Labels {
					count[label]++
					total++
				}
				batch.Release()
			}
		}
		return [3]float64{count[0] / total, count[1] / total, count[2] / total}
	}
	near := func(got, want [3]float64) bool {
		for i := range got {
			if math.Abs(got[i]-want[i]) > 0.06 { // three standard deviations of 672 draws
				return false
			}
		}
		return true
	}
	for name, test := range map[string]struct {
		change func(*Recipe)
		want   [3]float64
	}{
		"shuffle":  {func(*Recipe) {}, [3]float64{40. / 56, 8. / 56, 8. / 56}},
		"balanced": {func(r *Recipe) { r.Sampling = Balanced }, [3]float64{1. / 3, 1. / 3, 1. / 3}},
		"weighted": {func(r *Recipe) { r.ClassWeights = map[string]float64{"red": 5, "green": 0} }, [3]float64{0.5, 0, 0.5}},
		"both": {func(r *Recipe) {
			r.Sampling, r.ClassWeights = Balanced, map[string]float64{"red": 2}
		}, [3]float64{0.25, 0.25, 0.5}},
	} {
		if got := shares(test.change); !near(got, test.want) {
			t.Errorf("%s: shares %.3f, want %.3f", name, got, test.want)
		}
	}
	r := quick()
	r.ClassWeights = map[string]float64{"rad": 2}
	if _, err := TrainingLoader(r, set, set); err == nil || !strings.Contains(err.Error(), `did you mean "red"`) {
		t.Errorf("an unknown class: %v", err)
	}
	r.ClassWeights = map[string]float64{"red": -1}
	if err := r.Validate(); err == nil || !strings.Contains(err.Error(), `"red" is -1`) {
		t.Errorf("a negative weight: %v", err)
	}
}

// TestMixedLoss holds the loss of a mixed batch against the sum written out.
func TestMixedLoss(t *testing.T) {
	if err := torch.LoadLibrary(); err != nil {
		t.Fatal(err)
	}
	logits := [][]float32{{1, 2, -1}, {0.5, 0, 3}}
	batch := &augment.Batch{Labels: []int64{1, 0}, Mix: &augment.Mix{Labels: []int64{0, 2}, Weight: []float32{0.75, 0.4}}}
	want := 0.0
	for i, row := range logits {
		w := float64(batch.Mix.Weight[i])
		want -= (w*logSoftmax(row, int(batch.Labels[i])) + (1-w)*logSoftmax(row, int(batch.Mix.Labels[i]))) / 2
	}
	scope := torch.NewScope()
	defer scope.Close()
	got := criterion{Method: Article().Method}.loss(torch.NewTensor(logits), targetOf(batch, cpu())).ItemFloat64()
	if math.Abs(got-want) > 1e-6 {
		t.Errorf("loss %v, want %v", got, want)
	}
}

// TestFitWithTransforms trains on a pipeline that uses every stage.
func TestFitWithTransforms(t *testing.T) {
	r, err := LoadRecipe(writeRecipe(t, augmented), quick())
	if err != nil {
		t.Fatal(err)
	}
	r.Epochs = 4
	set := colourSet(t, 30)
	run := newRun(t, r)
	defer closeRun(t, run)
	result, err := Fit(t.Context(), r, set, options(run, set))
	if err != nil {
		t.Fatal(err)
	}
	if result.Accuracy < 0.7 { // chance is a third
		t.Errorf("accuracy %v", result.Accuracy)
	}
	saved, err := OpenSaved(run.Dir, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	if diff := cmp.Diff(r.Transforms, saved.Recipe.Transforms); diff != "" {
		t.Errorf("the model was saved with other transforms (-want +got):\n%s", diff)
	}
}
