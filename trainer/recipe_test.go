package trainer

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/augment"
)

func writeRecipe(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recipe.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRecipeSurvivesYAML(t *testing.T) {
	want := Article()
	want.Data, want.LearningRate = "photos", 1e-3
	text, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	got, err := LoadRecipe(writeRecipe(t, string(text)), Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestRecipeFileOverridesOnlyWhatItNames(t *testing.T) {
	got, err := LoadRecipe(writeRecipe(t, "# a comment\nepochs: 7\n"), Article())
	if err != nil {
		t.Fatal(err)
	}
	want := Article()
	want.Epochs = 7
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBadRecipeFiles(t *testing.T) {
	for text, wants := range map[string][]string{
		"epochs: 2\nbatchsize: 64\n": {"line 2", `"batchsize"`, `"batch_size"`},
		"lr: fast\n":                 {"line 1", "fast"},
		"epochs: [\n":                {"line"},
	} {
		_, err := LoadRecipe(writeRecipe(t, text), Article())
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has more than one line: %q", text, err)
		}
		for _, want := range append(wants, "recipe.yaml") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: error %q does not mention %q", text, err, want)
			}
		}
	}
}

func TestValidateNamesTheFieldAndItsValue(t *testing.T) {
	if err := Article().Validate(); err != nil {
		t.Fatalf("the article's own recipe: %v", err)
	}
	for want, change := range map[string]func(*Recipe){
		"epochs is 0":          func(r *Recipe) { r.Epochs = 0 },
		"batch size is -1":     func(r *Recipe) { r.BatchSize = -1 },
		"lr is NaN":            func(r *Recipe) { r.LearningRate = math.NaN() },
		"lr is +Inf":           func(r *Recipe) { r.LearningRate = math.Inf(1) },
		`did you mean "flat"`:  func(r *Recipe) { r.Schedule = "flatt" },
		"weight decay is 1":    func(r *Recipe) { r.WeightDecay = 1 },
		"valid-pct is 1":       func(r *Recipe) { r.ValidPct = 1 },
		"valid-pct is NaN":     func(r *Recipe) { r.ValidPct = math.NaN() },
		"size is 0 pixels":     func(r *Recipe) { r.Size = 0 },
		"item-size is 100":     func(r *Recipe) { r.ItemSize = 100 },
		`pixels is "exakt"`:    func(r *Recipe) { r.Pixels = "exakt" },
		`amp is "bf17"`:        func(r *Recipe) { r.AMP = "bf17" },
		`graph is "on"`:        func(r *Recipe) { r.Graph = "on" },
		`resident is "yes"`:    func(r *Recipe) { r.Resident = "yes" },
		"workers is -2":        func(r *Recipe) { r.Workers = -2 },
		"threads is -2":        func(r *Recipe) { r.Threads = -2 },
		"size is 5000 pixels;": func(r *Recipe) { r.Size = 5000 },
	} {
		recipe := Article()
		change(&recipe)
		if err := recipe.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"epochs", "batch-size", "lr", "train"}
	for word, want := range map[string]string{
		"epoch": "epochs", "batch_size": "batch-size", "batchsize": "batch-size", "trian": "train", "lrr": "lr", "zebra": "", "": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// TestWeightsBringTheirInput settles how pictures are prepared for pretrained weights.
func TestWeightsBringTheirInput(t *testing.T) {
	for _, c := range []struct {
		model, pretrained, pixels, normalize, interpolation string
		filter                                              augment.Filter
	}{
		{"efficientnet_lite0", "weights.pth", "exact", "half", "bicubic", augment.Bicubic},
		{"efficientnet_lite0", "weights.pth", "fast", "half", "bilinear", ""}, // fast pixels are sampled in one go
		{"efficientnet_lite0", "", "exact", "none", "bilinear", ""},
		{"resnet18", "weights.pth", "exact", "imagenet", "bilinear", ""},
	} {
		r := Article()
		r.Model, r.Pretrained, r.Pixels = c.model, c.pretrained, c.pixels
		settled, err := r.Settle()
		if err == nil {
			err = settled.Validate()
		}
		if err != nil || settled.Normalize != c.normalize || settled.Interpolation != c.interpolation {
			t.Errorf("%+v: %s, %s, %v", c, settled.Normalize, settled.Interpolation, err)
		}
		if resize := settled.transforms()[0].(augment.Resize); resize.Filter != c.filter {
			t.Errorf("%+v: the resize has the filter %q", c, resize.Filter)
		}
	}
}
