package models

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

// On real photos EfficientNet-Lite0 gives the Python package's logits and its five likeliest classes, decoding and resizing
// included; the goldens come from scripts/golden/models_imagenet.py.
func TestImageNetWeightsOnPhotos(t *testing.T) {
	photos, weights := testdata.Photos(t, "trashnet"), testdata.Lite0Weights()
	if weights == "" {
		t.Skip("no weights of EfficientNet-Lite0; make setup-test installs them")
	}
	golden := testdata.Golden[map[string]struct {
		Top5   []int64
		Logits []float64
	}](t, "testdata/imagenet.json")
	scope := torch.NewScope()
	defer scope.Close()
	model := build(t, "efficientnet_lite0", Options{Classes: 1000})
	match, err := LoadPretrained(weights, "efficientnet_lite0", model)
	if err != nil {
		t.Fatal(err)
	}
	if len(match.Missing)+len(match.Resized)+len(match.Ignored) > 0 {
		t.Errorf("%v", match)
	}
	model.Train(false)
	mean, std, _ := Normalization("half")
	pipeline, err := augment.NewFromList(augment.List{augment.Resize{Size: 256, Method: augment.MethodCrop}, augment.CenterCrop{Size: 224}, augment.Normalize{Mean: mean, Std: std}}, augment.Exact)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := pipeline.NewWorker()
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	worst := 0.0
	for name, want := range golden {
		content, err := os.ReadFile(filepath.Join(photos, name))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := data.Decode(content, data.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pixels := make([]float32, pipeline.Elements())
		if err := worker.Apply(pixels, picture, augment.Neutral(), false, augment.NCHW); err != nil {
			t.Fatal(err)
		}
		torch.NoGrad(func() {
			logits := model.Logits(torch.NewTensor(pixels).View(1, 3, 224, 224))
			for i, v := range torch.Values[float32](logits.Narrow(1, 0, int64(len(want.Logits)))) {
				worst = max(worst, math.Abs(float64(v)-want.Logits[i]))
			}
			_, top := logits.TopK(5, 1, true, true)
			if got := torch.Values[int64](top); !slices.Equal(got, want.Top5) {
				t.Errorf("%s: the likeliest classes are %v, want %v", name, got, want.Top5)
			}
		})
	}
	t.Logf("logits of %d photos differ by %.2g", len(golden), worst)
	if len(golden) != 12 || worst > 1e-3 {
		t.Errorf("logits of %d photos differ by %v", len(golden), worst)
	}
}
