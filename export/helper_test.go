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

// settle gives BatchNorm statistics and weights that a trained network could have, so that folding has something to do.
func settle(module nn.IModule) {
	r := rand.New(rand.NewPCG(3, 4))
	module.Apply(func(m nn.IModule) {
		b, ok := m.(*nn.Module).Outer().(*nn.BatchNorm2dModule)
		if !ok {
			return
		}
		torch.NoGrad(func() {
			for _, c := range []struct {
				tensor    torch.Tensor
				low, high float64
			}{{b.Weight, 0.5, 1.5}, {b.Bias, -0.5, 0.5}, {b.RunningMean, -0.5, 0.5}, {b.RunningVar, 0.5, 1.5}} {
				if !c.tensor.Defined() {
					continue
				}
				values := make([]float32, c.tensor.Numel())
				for i := range values {
					values[i] = float32(c.low + r.Float64()*(c.high-c.low))
				}
				torch.CopyIn(c.tensor, values)
			}
		})
	})
	module.Train(false)
}
