package models

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/leaktest"
	"github.com/wangkuiyi/gotorch/nn"
	"github.com/wangkuiyi/gotorch/safetensors"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }

func build(t *testing.T, name string, o Options) Model {
	t.Helper()
	m, err := New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOptionsThatDoNotFit(t *testing.T) {
	for want, o := range map[string]Options{
		"1 classes":                     {Classes: 1},
		"dropout is 1":                  {Classes: 2, Dropout: 1},
		"depth is 1;":                   {Classes: 2, Depth: 1},
		"width is -1":                   {Classes: 2, Width: -1},
		`activation is "rulu"`:          {Classes: 2, Activation: "rulu"},
		"drop_path is for mobilenet_v3": {Classes: 2, DropPath: 0.1},
	} {
		if _, err := New("cnn8", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
	}
	if _, err := New("resnet18", Options{Classes: 2, Width: 2}); err == nil || !strings.Contains(err.Error(), "cnn8, resnet9") {
		t.Errorf("error %v does not say which networks have a width", err)
	}
	if _, err := New("resnet19", Options{Classes: 2}); err == nil || !strings.Contains(err.Error(), "resnet18") {
		t.Errorf("error %v does not list the networks", err)
	}
}

// The article's numbers of parameters, and what width and depth make of them.
func TestCNN8Shapes(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want int64
		size int
	}{
		{Options{Classes: 4}, 1766612, 200},
		{Options{Classes: 4, ReLU: true, BatchNorm: true}, 1768644, 200},
		{Options{Classes: 4, ReLU: true, BatchNorm: true, Dropout: 0.5, Activation: "gelu"}, 1768644, 200},
		// Convolutions 3-16-32-64 of 5x5 and the head's 64-4 of 3x3, with two more a channel for BatchNorm.
		{Options{Classes: 4, ReLU: true, BatchNorm: true, Width: 2, Depth: 4}, 3*16*25 + 16 + 16*32*25 + 32 + 32*64*25 + 64 + 2*(16+32+64) + 64*4*9 + 4, 64},
		{Options{Classes: 4, Depth: 10}, 1766612 + 2*(512*512*9+512), 200},
	} {
		scope := torch.NewScope()
		m := build(t, "cnn8", test.o)
		s, err := Summarize(m, test.size)
		if err != nil {
			t.Fatal(err)
		}
		if s.Parameters != test.want {
			t.Errorf("%+v: %d parameters, want %d", test.o, s.Parameters, test.want)
		}
		if last := s.Rows[len(s.Rows)-1].Output; !cmp.Equal(last, []int64{1, 4}) {
			t.Errorf("%+v: gives %v", test.o, last)
		}
		scope.Close()
	}
}

// torchvision publishes 1.814 and 0.217 GMACs for these two at 224 pixels (Weights.meta["_ops"]).
func TestMultiplyAdds(t *testing.T) {
	for name, want := range map[string]int64{"resnet18": 1814, "mobilenet_v3_large": 217} {
		scope := torch.NewScope()
		s, err := Summarize(build(t, name, Options{Classes: 1000}), 224)
		if err != nil {
			t.Fatal(err)
		}
		if got := (s.MACs + 500_000) / 1_000_000; got != want {
			t.Errorf("%s: %d million multiply-adds, want %d", name, got, want)
		}
		scope.Close()
	}
}

// Frozen stages take no part in training: no gradient, and BatchNorms that stay as they are.
func TestFreeze(t *testing.T) {
	for _, name := range []string{"cnn8", "resnet9", "speednet", "resnet18", "mobilenet_v3_small", "efficientnet_lite0", "convnext_tiny"} {
		t.Run(name, func(t *testing.T) {
			scope := torch.NewScope()
			defer scope.Close()
			m := build(t, name, Options{Classes: 3, ReLU: true, BatchNorm: true})
			stages := m.Stages()
			parameters := 0
			for _, s := range stages {
				parameters += len(s.Parameters())
			}
			if want := len(m.Parameters()); parameters != want {
				t.Fatalf("the stages have %d parameters, the network has %d", parameters, want)
			}
			x := torch.RandN([]int64{2, 3, 64, 64}, false)
			m.Train(false)
			want := m.Logits(x)
			for frozen := range len(stages) {
				m.Freeze(frozen)
				if got := m.Logits(x); !torch.AllClose(got, want) {
					t.Errorf("with %d frozen stages the logits differ", frozen)
				}
			}
			m.Train(true)
			before := map[string]torch.Tensor{}
			for _, n := range m.Named() {
				before[n.Name] = n.Tensor.Detach().Clone()
			}
			m.Logits(x).Sum().Backward()
			head := stages[len(stages)-1].Parameters()
			for _, p := range head {
				if p.Grad().T == nil {
					t.Error("the head has no gradient")
				}
			}
			for _, n := range m.Named() {
				if n.Buffer && !torch.Equal(n.Tensor, before[n.Name]) {
					t.Errorf("the frozen %s moved", n.Name)
				}
			}
			for i, s := range stages[:len(stages)-1] {
				for _, p := range s.Parameters() {
					if p.Grad().T != nil || p.RequiresGrad() {
						t.Fatalf("stage %d (%s) is frozen and trained", i, s.Name)
					}
				}
			}
			m.Freeze(0)
			m.Logits(x).Sum().Backward()
			if stages[0].Parameters()[0].Grad().T == nil {
				t.Error("the freed first stage has no gradient")
			}
		})
	}
}

// Drop path leaves whole branches out, in training alone, and keeps the mean.
func TestDropPath(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	torch.ManualSeed(1)
	x := torch.Ones([]int64{4000, 2, 1, 1}, false)
	if y := dropPath(x, 0.25, false); !torch.Equal(x, y) {
		t.Error("evaluation drops")
	}
	y := torch.Values[float32](dropPath(x, 0.25, true))
	kept := 0
	for i := 0; i < len(y); i += 2 {
		if y[i] != y[i+1] {
			t.Fatalf("picture %d is dropped in part", i/2)
		}
		if y[i] != 0 {
			kept++
			if d := y[i] - 1/0.75; d > 1e-6 || d < -1e-6 {
				t.Fatalf("kept branches are scaled by %v", y[i])
			}
		}
	}
	if kept < 2900 || kept > 3100 { // 3000 +- 3.6 standard deviations
		t.Errorf("%d of 4000 branches kept, want about 3000", kept)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "net.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const smallNet = `# a comment
layers:
  - conv: {out: 8, kernel: 3, stride: 2}
  - batchnorm
  - relu
  - conv: {out: 8, kernel: 3, groups: channels, bias: false}
  - maxpool: {kernel: 2}
  - dropout: {p: 0.1}
  - flatten
  - linear: {out: classes}
`

func TestLayerFile(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	layers, err := ReadLayers(writeFile(t, smallNet))
	if err != nil {
		t.Fatal(err)
	}
	m := build(t, "net.yaml", Options{Classes: 5, Layers: layers, Size: 31})
	m.Train(false)
	if got := m.Logits(torch.RandN([]int64{2, 3, 31, 31}, false)).Shape(); !cmp.Equal(got, []int64{2, 5}) {
		t.Errorf("logits of shape %v", got)
	}
	var got []string
	for _, n := range m.Named() {
		if !n.Buffer {
			got = append(got, n.Name)
		}
	}
	if d := cmp.Diff([]string{"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "7.weight", "7.bias"}, got); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
	// 31 -> 16 -> 16 -> 8 pixels of 8 channels into 5 classes.
	if shape := m.Named()[len(m.Named())-2].Tensor.Shape(); !cmp.Equal(shape, []int64{5, 8 * 8 * 8}) {
		t.Errorf("the linear layer is %v", shape)
	}
	var _ nn.IModule = m
}

func TestBadLayerFiles(t *testing.T) {
	for text, want := range map[string]string{
		"layers:\n  - convolution\n":                                          `line 2: layer "convolution"`,
		"layers:\n  - conv: {out: 8, kernal: 3}\n":                            "kernal",
		"layers: []\n":                                                        "no layers",
		"layer:\n  - relu\n":                                                  "layer",
		"layers:\n  - relu\n":                                                 "no layer has weights",
		"layers:\n  - conv: {out: 2, kernel: 3}\n":                            "end with flatten",
		"layers:\n  - flatten\n  - linear: {out: 7}\n":                        "7 values",
		"layers:\n  - conv: {out: some, kernel: 3}\n":                         `out is "some"`,
		"layers:\n  - conv: {out: 8}\n":                                       "kernel 0",
		"layers:\n  - conv: {out: 8, kernel: 3, groups: 2}\n":                 "groups do not divide",
		"layers:\n  - linear: {out: classes}\n":                               "put flatten before",
		"layers:\n  - conv: {out: 4, kernel: 90, padding: 0}\n":               "nothing is left",
		"layers:\n  - flatten\n  - conv: {out: 4, kernel: 3}\n":               "flatten came before",
		"layers:\n  - dropout: {p: 2}\n  - flatten\n":                         "p is 2",
		"layers:\n  - [conv, relu]\n":                                         "line 2",
		"layers:\n  - conv: {out: 99999999, kernel: 1}\n":                     "out is",
		"layers:\n  - maxpool: {kernel: 2, padding: 2}\n":                     "at most half",
		"layers:\n  - conv: {out: 2, kernel: 3, stride: -1}\n":                "stride -1",
		"layers:\n  - conv: {out: 2, kernel: 3, dilation: 999, padding: 0}\n": "nothing is left",
	} {
		scope := torch.NewScope()
		layers, err := ReadLayers(writeFile(t, text))
		if err == nil {
			_, err = New("net.yaml", Options{Classes: 3, Layers: layers, Size: 32})
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v does not mention %q in one line", text, err, want)
		}
		scope.Close()
	}
}

func TestWeightsThatDoNotFit(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	dir := t.TempDir()
	m := build(t, "resnet18", Options{Classes: 3})
	other := filepath.Join(dir, "other.safetensors")
	if err := safetensors.Save(other, build(t, "mobilenet_v3_small", Options{Classes: 3}).StateDict(), nil); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dir, "half.safetensors")
	content, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(half, content[:len(content)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		other: "not those of resnet18", half: "half.safetensors", dir: "a folder", filepath.Join(dir, "none.pth"): "none.pth",
	} {
		if _, err := LoadPretrained(path, "resnet18", m); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v does not mention %q in one line", path, err, want)
		}
	}
}
