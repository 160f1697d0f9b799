package models

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// What scripts/golden/models_torchvision.py wrote.
type goldenFile struct {
	Classes, Size, Batch int
	Models               map[string]goldenModel
	Layouts              map[string]goldenModel // by "ours LIBRARY"
}

type goldenModel struct {
	Eval, Train []float64
	Parameters  int64
	Layout      string
	Names       [][2]json.RawMessage // name and shape of each tensor of the state_dict
}

func readGolden(t *testing.T) goldenFile {
	t.Helper()
	return testdata.Golden[goldenFile](t, "testdata/logits.json")
}

// value is tensor number k of a state_dict, as the script draws it.
func value(name string, shape []int64, k int) torch.Tensor {
	return torch.NewTensor(testdata.Weights(name, shape, k)).View(shape...)
}

func (g goldenFile) pictures() torch.Tensor {
	x := make([]float32, g.Batch*3*g.Size*g.Size)
	for i := range x {
		x[i] = float32(2*testdata.Uniform(i, 1000) - 1)
	}
	return torch.NewTensor(x).View(int64(g.Batch), 3, int64(g.Size), int64(g.Size))
}

// logitsEqual allows a share of the largest logit, and of 1 where all are smaller.
func logitsEqual(t *testing.T, what string, got torch.Tensor, want []float64, bound float64) {
	t.Helper()
	largest, difference := 1.0, 0.0
	values := torch.Values[float32](got)
	if len(values) != len(want) {
		t.Fatalf("%s: %d logits, want %d", what, len(values), len(want))
	}
	for i, w := range want {
		largest, difference = max(largest, math.Abs(w)), max(difference, math.Abs(float64(values[i])-w))
	}
	t.Logf("%s: logits up to %.3g differ by %.2g", what, largest, difference)
	if !(difference <= bound*largest) {
		t.Errorf("%s: logits up to %v differ by %v", what, largest, difference)
	}
}

// Logits equal those of torchvision and of the package efficientnet_lite_pytorch with the same weights; the larger networks of
// a family, which differ by numbers alone, are compared in the long form.
func TestLogitsEqualTheOriginals(t *testing.T) {
	g := readGolden(t)
	for name, want := range g.Models {
		t.Run(name, func(t *testing.T) {
			if long := os.Getenv("ORRERY_LONG") != ""; !long && (name == "resnet34" || name == "resnet50" || name > "efficientnet_lite1" && name < "f") {
				t.Skip("in the long form")
			}
			scope := torch.NewScope()
			defer scope.Close()
			m, err := New(name, Options{Classes: g.Classes})
			if err != nil {
				t.Fatal(err)
			}
			torch.NoGrad(func() {
				k, parameters := 0, int64(0)
				for _, n := range m.Named() {
					if !n.Buffer {
						parameters += n.Tensor.Numel()
					}
					if !strings.HasSuffix(n.Name, "num_batches_tracked") {
						n.Tensor.CopyI(value(n.Name, n.Tensor.Shape(), k))
					}
					k++
				}
				if parameters != want.Parameters {
					t.Errorf("%d parameters, want %d", parameters, want.Parameters)
				}
				m.ToChannelsLast()
				x := g.pictures().ChannelsLast()
				m.Train(false)
				logitsEqual(t, "evaluation", m.Logits(x), want.Eval, 1e-4)
				m.Train(true)
				logitsEqual(t, "training", m.Logits(x), want.Train, 1e-3) // BatchNorms of 8 values: rounding grows
			})
		})
	}
}

// Files with the names of timm and Hugging Face, behind a prefix and with another head's classes too, give those libraries' logits.
func TestLayoutsOfOtherLibraries(t *testing.T) {
	g := readGolden(t)
	for key, want := range g.Layouts {
		t.Run(key, func(t *testing.T) {
			ours, _, _ := strings.Cut(key, " ")
			if os.Getenv("ORRERY_LONG") == "" && (ours == "resnet50" || ours == "efficientnet_lite3") {
				t.Skip("in the long form")
			}
			scope := torch.NewScope()
			defer scope.Close()
			file := filepath.Join(t.TempDir(), "weights.safetensors")
			tensors := map[string]torch.Tensor{}
			for k, entry := range want.Names {
				var name string
				var shape []int64
				if err := json.Unmarshal(entry[0], &name); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(entry[1], &shape); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(name, "num_batches_tracked") {
					tensors["model."+name] = torch.ZerosOf(nil, torch.Long)
				} else {
					tensors["model."+name] = value(name, shape, k)
				}
			}
			if err := safetensors.Save(file, tensors, nil); err != nil {
				t.Fatal(err)
			}
			m, err := New(ours, Options{Classes: g.Classes})
			if err != nil {
				t.Fatal(err)
			}
			match, err := LoadPretrained(file, ours, m)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(match.Layout, want.Layout) && !strings.HasSuffix(match.Layout, want.Layout) || match.Prefix != "model." || len(match.Missing)+len(match.Resized)+len(match.Ignored) > 0 {
				t.Errorf("%v behind %q, missing %v, resized %v, ignored %v", match, match.Prefix, match.Missing, match.Resized, match.Ignored)
			}
			m.Train(false)
			torch.NoGrad(func() { logitsEqual(t, "evaluation", m.Logits(g.pictures()), want.Eval, 1e-4) })

			other, err := New(ours, Options{Classes: g.Classes + 3})
			if err != nil {
				t.Fatal(err)
			}
			match, err = LoadPretrained(file, ours, other)
			if err != nil {
				t.Fatal(err)
			}
			if len(match.Resized) == 0 || len(match.Missing) > 0 {
				t.Errorf("for other classes: %v, resized %v", match, match.Resized)
			}
		})
	}
}
