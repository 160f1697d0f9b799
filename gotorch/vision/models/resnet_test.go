package models_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	"github.com/wangkuiyi/gotorch/safetensors"
	"github.com/wangkuiyi/gotorch/vision/models"
)

func difference(a, b torch.Tensor) float64 { return a.Sub(b, 1).Abs().Max().ItemFloat64() }

// A ResNet made from torchvision's seed has its names, its weights and its logits; the goldens come
// from scripts/golden/gotorch_train.py.
func TestResnetEqualsTorchvision(t *testing.T) {
	for name, build := range map[string]func() *models.ResnetModule{"resnet18": models.Resnet18, "resnet50": models.Resnet50} {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			g, meta, err := safetensors.LoadWithMetadata("../../testdata/train.safetensors")
			if err != nil {
				t.Fatal(err)
			}
			torch.ManualSeed(3)
			net := build()
			var want, got []string
			if err := json.Unmarshal([]byte(meta[name+".names"]), &want); err != nil {
				t.Fatal(err)
			}
			for _, n := range net.Named() {
				got = append(got, n.Name)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("names of the state (-torchvision +ours):\n%s", d)
			}
			torch.ManualSeed(4)
			x := torch.RandN([]int64{2, 3, 64, 64}, false)
			torch.NoGrad(func() {
				if d := difference(net.Forward(x), g[name+".train_logits"]); d > 1e-3 {
					t.Errorf("logits in training differ by %v", d)
				}
				net.Eval()
				if d := difference(net.Forward(x), g[name+".logits"]); d > 1e-4 {
					t.Errorf("logits in evaluation differ by %v", d)
				}
			})
			sums := torch.Values[float64](g[name+".sums"])
			for i, n := range net.Named() {
				sum := n.Tensor.CastTo(torch.Double).Sum().ItemFloat64()
				if math.Abs(sum-sums[i]) > 1e-3*max(1, math.Abs(sums[i])) {
					t.Errorf("%s sums to %v, torchvision's to %v", n.Name, sum, sums[i])
				}
			}
		})
	}
}

// torchvision's state_dict, loaded from safetensors into a network of other weights, gives torchvision's
// logits. The file is the one that scripts/golden/gotorch_train.py wrote into $GOTORCH_RESNET, or else is
// made here: the weights from torchvision's seed, which the test above compares with it, saved by us and
// passed through Python's safetensors where that is installed.
func TestResnetLoadsTorchvisionsState(t *testing.T) {
	for name, build := range map[string]func() *models.ResnetModule{"resnet18": models.Resnet18, "resnet50": models.Resnet50} {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			g, err := safetensors.Load("../../testdata/train.safetensors")
			if err != nil {
				t.Fatal(err)
			}
			torch.ManualSeed(4)
			x := torch.RandN([]int64{2, 3, 64, 64}, false)
			path := filepath.Join(os.Getenv("GOTORCH_RESNET"), name+".safetensors")
			if os.Getenv("GOTORCH_RESNET") == "" {
				path = stateFile(t, build, x)
			}
			sd, err := safetensors.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			torch.ManualSeed(99)
			net := build()
			if err := net.SetStateDict(sd); err != nil {
				t.Fatal(err)
			}
			net.Eval()
			torch.NoGrad(func() {
				d := difference(net.Forward(x), g[name+".logits"])
				t.Logf("logits of %s differ by %.2g", path, d)
				if d > 1e-4 {
					t.Errorf("logits differ by %v", d)
				}
			})
		})
	}
}

// stateFile saves the network of torchvision's seed after one batch, as the golden's script has it.
func stateFile(t *testing.T, build func() *models.ResnetModule, x torch.Tensor) string {
	torch.ManualSeed(3)
	net := build()
	torch.NoGrad(func() { net.Forward(x) })
	ours := filepath.Join(t.TempDir(), "ours.safetensors")
	if err := safetensors.Save(ours, net.StateDict(), map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	python := os.Getenv("ORRERY_PYTHON")
	if python == "" {
		t.Log("ORRERY_PYTHON names no Python with safetensors: the file is ours")
		return ours
	}
	theirs := filepath.Join(t.TempDir(), "theirs.safetensors")
	const again = "import sys; from safetensors.numpy import load_file, save_file; save_file(load_file(sys.argv[1]), sys.argv[2])"
	if out, err := exec.Command(python, "-c", again, ours, theirs).CombinedOutput(); err != nil {
		t.Fatalf("Python's safetensors does not read our file: %v\n%s", err, out)
	}
	return theirs
}

func TestMLPTakesPictures(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	var m nn.IModule = models.MLP()
	y := m.(*models.MLPModule).Forward(torch.RandN([]int64{3, 1, 28, 28}, false))
	if d := cmp.Diff([]int64{3, 10}, y.Shape()); d != "" {
		t.Error(d)
	}
	if got := y.Exp().SumDims([]int64{1}, false); !torch.AllClose(got, torch.Ones([]int64{3}, false)) {
		t.Errorf("the probabilities sum to %v", got)
	}
}

func TestBasicBlockRefusesWhatItCannotDo(t *testing.T) {
	err := torch.Try(func() { models.BasicBlock(64, 64, 1, nil, 2, 64, 1) })
	if err == nil {
		t.Error("two groups must be refused")
	}
}
