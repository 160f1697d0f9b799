package export

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// onnxPython is the tests' Python, which has onnxruntime.
func onnxPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("ORRERY_PYTHON")
	if python == "" {
		t.Skip("the tests' Python is not here; make setup-test installs it, scripts/setup/env.sh finds it")
	}
	return python
}

// runONNX has onnxruntime run the models of the cases, each a folder of dir with model.onnx and input.f32.
func runONNX(t *testing.T, dir string) {
	t.Helper()
	command := exec.Command(onnxPython(t), filepath.Join("testdata", "run_onnx.py"), dir)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("onnxruntime: %v\n%s", err, output)
	}
}

func writeFloats(t *testing.T, path string, values []float32) {
	t.Helper()
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFloats(t *testing.T, path string) []float32 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, len(raw)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return values
}

func writeModel(t *testing.T, n *network, classes int, path string) {
	t.Helper()
	m, err := n.onnxModel(classes, map[string]string{"key": "value"})
	if err != nil {
		t.Fatal(err)
	}
	content, err := proto.Marshal(m)
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// difference is the largest of two equally long lists; infinite where one holds no number.
func difference(t *testing.T, what string, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	most := 0.0
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		most = max(most, d)
	}
	return most
}

// settle brings a network with fresh weights into the state of a trained one:
// BatchNorm's weights and biases differ from 1 and 0, and its statistics are
// those of the pictures.
func settle(module nn.IModule, forward func()) {
	r := rand.New(rand.NewPCG(3, 4))
	var norms []*nn.BatchNorm2dModule
	module.Apply(func(m nn.IModule) {
		if b, ok := m.(*nn.Module).Outer().(*nn.BatchNorm2dModule); ok {
			norms = append(norms, b)
		}
	})
	torch.NoGrad(func() {
		for _, b := range norms {
			weight, bias := make([]float32, b.NumFeatures), make([]float32, b.NumFeatures)
			for i := range weight {
				weight[i], bias[i] = 0.5+r.Float32(), r.Float32()-0.5
			}
			torch.CopyIn(b.Weight, weight)
			torch.CopyIn(b.Bias, bias)
			b.Momentum = 1
		}
		module.Train(true)
		torch.Scoped(func(*torch.Scope) { forward() })
		module.Train(false)
		// A channel that is all but dead in a handful of pictures would magnify
		// rounding a thousandfold; training on many leaves none like it.
		for _, b := range norms {
			variance := torch.Values[float32](b.RunningVar)
			mean := float32(0)
			for _, v := range variance {
				mean += v / float32(len(variance))
			}
			for i, v := range variance {
				variance[i] = max(v, mean/4)
			}
			torch.CopyIn(b.RunningVar, variance)
		}
	})
}
