package export

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/models"
)

// TestEveryModel exports each model there is, EfficientNet-Lite0 with its ImageNet
// weights, the others with weights drawn at random and statistics as after training, and holds it against the model itself on real
// photos: 200 of the size the model is made for with ORRERY_LONG=1, else a few
// that are smaller. onnxruntime runs the ONNX models; Python's torch, where the
// peers' Python is installed, the TorchScript.
func TestEveryModel(t *testing.T) {
	photos, long, dir := photoPaths(t), os.Getenv("ORRERY_LONG") != "", t.TempDir()
	expected := map[string]*expectation{}
	torch.Scoped(func(*torch.Scope) {
		for _, name := range models.Names() {
			info, err := models.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			size, images := min(info.Size, 64), 6
			if name == "cnn8" {
				size = info.Size
			}
			if long {
				size, images = info.Size, 200
			}
			folder := filepath.Join(dir, name)
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			torch.Scoped(func(*torch.Scope) {
				expected[name] = exportModel(t, name, folder, size, preprocessed(t, photos, info.Input.Normalize, size, images))
			})
		}
	})
	runONNX(t, dir)
	for name, e := range expected {
		within(t, e, name+" in onnxruntime", readFloats(t, filepath.Join(dir, name, "output.f32")))
	}
	python := peersPython()
	if python == "" {
		t.Log("TorchScript is not run in Python's torch: make peers installs that")
		return
	}
	if output, err := exec.Command(python, filepath.Join("testdata", "run_script.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("Python's torch: %v\n%s", err, output)
	}
	for name, e := range expected {
		within(t, e, name+" in Python's torch", readFloats(t, filepath.Join(dir, name, "output.f32")))
	}
}

// exportModel writes model.pt and model.onnx into the folder, beside their
// input, and gives what the model itself makes of the pictures.
func exportModel(t *testing.T, name, folder string, size int, pixels []float32) *expectation {
	t.Helper()
	torch.ManualSeed(1)
	classes, pretrained := 6, ""
	if name == "efficientnet_lite0" {
		pretrained = testdata.Lite0Weights()
	}
	if pretrained != "" {
		classes = 1000
	}
	model, err := models.New(name, models.Options{Classes: classes, ReLU: true, BatchNorm: true})
	if err == nil && pretrained != "" {
		_, err = models.LoadPretrained(pretrained, name, model)
	}
	if err != nil {
		t.Fatal(err)
	}
	model.Train(false)
	elements := 3 * size * size
	e := &expectation{size: size, elements: elements, classes: classes, pixels: pixels}
	x := torch.NewTensor(pixels).View(-1, int64(size), int64(size), 3).Permute([]int64{0, 3, 1, 2}).Contiguous()
	if pretrained == "" {
		settle(model, func() { model.Logits(x.Narrow(0, 0, int64(min(8, len(pixels)/elements)))) })
	}
	for i := range len(pixels) / elements {
		torch.Scoped(func(*torch.Scope) {
			torch.NoGrad(func() {
				e.logits = append(e.logits, torch.Values[float32](model.Logits(x.Narrow(0, int64(i), 1)))...)
			})
		})
	}
	n, err := record(model, int64(size))
	if err == nil {
		err = n.fold()
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	script, err := n.script()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	script.Save(filepath.Join(folder, "model.pt"), nil)
	script.Close()
	loaded := torch.LoadScript(filepath.Join(folder, "model.pt"), torch.NewDevice("cpu"))
	defer loaded.Close()
	holds(t, e, name+" as TorchScript", loaded)
	writeModel(t, n, classes, filepath.Join(folder, "model.onnx"))
	read, err := loadONNX(filepath.Join(folder, "model.onnx"))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer read.Close()
	holds(t, e, name+" as ONNX, read here", read)
	writeFloats(t, filepath.Join(folder, "input.f32"), torch.Values[float32](x))
	if err := os.WriteFile(filepath.Join(folder, "size"), []byte(strconv.Itoa(size)), 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

func holds(t *testing.T, e *expectation, what string, model exported) {
	t.Helper()
	most, err := e.compare(model)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	t.Logf("%s: largest difference %.2g over %d pictures", what, most, len(e.logits)/e.classes)
}

func within(t *testing.T, e *expectation, what string, got []float32) {
	t.Helper()
	if len(got) != len(e.logits) {
		t.Fatalf("%s: %d logits, want %d", what, len(got), len(e.logits))
	}
	most := 0.0
	for i := 0; i < len(got); i += e.classes {
		d, err := differ(got[i:i+e.classes], e.logits[i:i+e.classes], Tolerance)
		if err != nil {
			t.Errorf("%s: picture %d: %v", what, i/e.classes, err)
		}
		most = max(most, d)
	}
	t.Logf("%s: largest difference %.2g over %d pictures", what, most, len(got)/e.classes)
}

// peersPython is the Python that has torch, "" where make peers did not run.
func peersPython() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	python := filepath.Join(cache, "orrery", "peers", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return ""
	}
	return python
}

// photoPaths lists real photos, those of one class after the other.
func photoPaths(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(testdata.Photos(t, "trashnet"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasSuffix(path, ".jpg") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) < 200 {
		t.Fatalf("%d photos: %v", len(paths), err)
	}
	return paths
}

// preprocessed are photos from all classes, float32 [images, size, size, 3],
// normalised as the network's weights want it.
func preprocessed(t *testing.T, paths []string, normalize string, size, images int) []float32 {
	t.Helper()
	config := augment.DefaultConfig(size*5/4, size)
	config.Mean, config.Std, _ = models.Normalization(normalize)
	pipeline, err := augment.New(config)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := pipeline.NewWorker()
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	elements := pipeline.Elements()
	pixels := make([]float32, images*elements)
	for i := range images {
		content, err := os.ReadFile(paths[i*len(paths)/images])
		if err != nil {
			t.Fatal(err)
		}
		picture, err := data.Decode(content, data.DecodeOptions{})
		if err == nil {
			err = worker.Apply(pixels[i*elements:(i+1)*elements], picture, augment.Neutral(), false, augment.NHWC)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return pixels
}
