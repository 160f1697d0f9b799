package export

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/models"
)

// sizes are the sides of pictures, in pixels, that models are tested with; 96 otherwise.
var sizes = map[string]int{"cnn8": 200}

// TestEveryModel exports each model there is, with weights drawn at random and
// statistics as after training, and holds it against the model itself on real
// photos: 200 with ORRERY_LONG=1, a few otherwise. onnxruntime runs the ONNX
// model; Python's torch, where the peers' Python is installed, the TorchScript.
func TestEveryModel(t *testing.T) {
	photos := photoPaths(t)
	images := 6
	if os.Getenv("ORRERY_LONG") != "" {
		images = 200
	}
	for _, name := range models.Names() {
		t.Run(name, func(t *testing.T) {
			size := sizes[name]
			if size == 0 {
				size = 96
			}
			exportModel(t, name, size, preprocessed(t, photos, size, images))
		})
	}
}

func exportModel(t *testing.T, name string, size int, pixels []float32) {
	torch.Scoped(func(*torch.Scope) {
		torch.ManualSeed(1)
		model, err := models.New(name, models.Options{Classes: 6, ReLU: true, BatchNorm: true})
		if err != nil {
			t.Fatal(err)
		}
		settle(model)
		images := len(pixels) / (3 * size * size)
		e := &expectation{size: size, elements: 3 * size * size, classes: 6, pixels: pixels}
		x := torch.NewTensor(pixels).View(int64(images), int64(size), int64(size), 3).Permute([]int64{0, 3, 1, 2}).Contiguous()
		torch.NoGrad(func() {
			for i := range images {
				e.logits = append(e.logits, torch.Values[float32](model.Logits(x.Narrow(0, int64(i), 1)))...)
			}
		})
		n, err := record(model, int64(size))
		if err == nil {
			err = n.fold()
		}
		if err != nil {
			t.Fatal(err)
		}
		script, err := n.script()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		script.Save(filepath.Join(folder, "model.pt"), nil)
		script.Close()
		loaded := torch.LoadScript(filepath.Join(folder, "model.pt"), torch.NewDevice("cpu"))
		defer loaded.Close()
		holds(t, e, "TorchScript", loaded)
		writeModel(t, n, 6, filepath.Join(folder, "model.onnx"))
		read, err := loadONNX(filepath.Join(folder, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		holds(t, e, "ONNX, read here", read)
		writeFloats(t, filepath.Join(folder, "input.f32"), torch.Values[float32](x))
		runONNX(t, dir)
		within(t, e, "onnxruntime", readFloats(t, filepath.Join(folder, "output.f32")))
		if python := peersPython(); python != "" {
			runScript(t, python, folder, size)
			within(t, e, "Python's torch", readFloats(t, filepath.Join(folder, "output.f32")))
		}
	})
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
	d := difference(t, what, got, e.logits)
	if d > Tolerance {
		t.Errorf("%s differs by %v", what, d)
	}
	t.Logf("%s: largest difference %.2g over %d pictures", what, d, len(e.logits)/e.classes)
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

const torchScript = `
import sys, numpy, torch
folder, size = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
x = torch.from_numpy(numpy.fromfile(folder + "/input.f32", dtype=numpy.float32).reshape(-1, 3, size, size))
model = torch.jit.load(folder + "/model.pt")
with torch.inference_mode():
    torch.cat([model(part) for part in x.split(8)]).numpy().tofile(folder + "/output.f32")
`

func runScript(t *testing.T, python, folder string, size int) {
	t.Helper()
	if output, err := exec.Command(python, "-c", torchScript, folder, fmt.Sprint(size)).CombinedOutput(); err != nil {
		t.Fatalf("Python's torch: %v\n%s", err, output)
	}
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

// preprocessed are photos from all classes, float32 [images, size, size, 3].
func preprocessed(t *testing.T, paths []string, size, images int) []float32 {
	t.Helper()
	pipeline, err := augment.New(augment.DefaultConfig(size*5/4, size))
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
