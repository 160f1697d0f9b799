package export

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// A constantModel gives the same logits for every picture.
type constantModel struct{ logits []float32 }

func (m constantModel) Forward(pictures ...torch.Tensor) torch.Tensor {
	n := pictures[0].Shape()[0]
	return torch.Expand(torch.NewTensor(m.logits).View(1, -1), []int64{n, int64(len(m.logits))}).Contiguous()
}

func (constantModel) Close() {}

func TestCompareRefusesWhatDiffers(t *testing.T) {
	e := &expectation{size: 1, elements: 3, classes: 2, pixels: make([]float32, 3*20)}
	for range 20 {
		e.logits = append(e.logits, 1, -1)
	}
	e.logits[39] = -1.00005 // the last picture's; within the tolerance
	torch.Scoped(func(*torch.Scope) {
		if most, err := e.compare(constantModel{[]float32{1, -1}}); err != nil || math.Abs(most-5e-5) > 1e-6 {
			t.Errorf("largest difference %v, %v; want 5e-5", most, err)
		}
		for name, logits := range map[string][]float32{
			"another value": {1, -1.0002}, "no number": {float32(math.NaN()), -1}, "more classes": {1, -1, 0},
		} {
			if _, err := e.compare(constantModel{logits}); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		e.logits[39] = 0
		if _, err := e.compare(constantModel{[]float32{1, -1}}); err == nil || !strings.Contains(err.Error(), "picture 19") {
			t.Errorf("the last of 20 pictures differs: %v", err)
		}
	})
}

func TestLoadONNXRefuses(t *testing.T) {
	dir := t.TempDir()
	torch.Scoped(func(*torch.Scope) {
		n, err := record(newSmall(func(_ *small, x torch.Tensor) torch.Tensor { return torch.Flatten(torch.Relu(x), 1, -1) }), 12)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "model.onnx")
		writeModel(t, n, 432, path)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		half := filepath.Join(dir, "half.onnx")
		if err := os.WriteFile(half, content[:len(content)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{half: "no ONNX model", filepath.Join(dir, "none.onnx"): "no such file"} {
			if _, err := loadONNX(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want an error with %q", path, err, want)
			}
		}
		n.nodes[0].op = "fractional_max_pool2d"
		if _, err := n.onnxModel(432, nil); err == nil || !strings.Contains(err.Error(), "fractional_max_pool2d") {
			t.Errorf("an operation without a form in ONNX: %v", err)
		}
	})
}
