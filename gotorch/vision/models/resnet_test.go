package models_test

import (
	"encoding/json"
	"math"
	"os"
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

// With the files that scripts/golden/gotorch_train.py writes into $GOTORCH_RESNET: torchvision's own
// state_dict, loaded from safetensors, gives the same logits.
func TestResnetLoadsTorchvisionsFile(t *testing.T) {
	dir := os.Getenv("GOTORCH_RESNET")
	if dir == "" {
		t.Skip("GOTORCH_RESNET names no folder; scripts/golden/gotorch_train.py writes one")
	}
	for name, build := range map[string]func() *models.ResnetModule{"resnet18": models.Resnet18, "resnet50": models.Resnet50} {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			g, err := safetensors.Load("../../testdata/train.safetensors")
			if err != nil {
				t.Fatal(err)
			}
			sd, err := safetensors.Load(filepath.Join(dir, name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			net := build()
			if err := net.SetStateDict(sd); err != nil {
				t.Fatal(err)
			}
			net.Eval()
			torch.ManualSeed(4)
			x := torch.RandN([]int64{2, 3, 64, 64}, false)
			torch.NoGrad(func() {
				d := difference(net.Forward(x), g[name+".logits"])
				t.Logf("logits differ by %.2g", d)
				if d > 1e-4 {
					t.Errorf("logits differ by %v", d)
				}
			})
		})
	}
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
