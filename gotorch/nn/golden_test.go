package nn_test

import (
	"fmt"
	"math"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/safetensors"
)

// The goldens come from PyTorch and fastai: scripts/golden/gotorch_train.py.
func goldens(t *testing.T) map[string]torch.Tensor {
	t.Helper()
	g, err := safetensors.Load("../testdata/train.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func network() *nn.SequentialModule {
	torch.ManualSeed(42)
	return nn.Sequential(
		nn.Conv2d(3, 6, 3, 2, 1, 1, 1, true, "zeros"), nn.BatchNorm2d(6, 1e-5, 0.1, true, true), nn.Functional(torch.Relu),
		nn.Conv2d(6, 8, 3, 2, 1, 1, 1, false, "zeros"), nn.BatchNorm2d(8, 1e-5, 0.1, true, true), nn.Functional(torch.Relu),
		nn.Functional(func(x torch.Tensor) torch.Tensor { return torch.Flatten(x, 1, -1) }), nn.Linear(32, 5, true))
}

func largestDifference(a, b torch.Tensor) float64 {
	x, y := torch.Values[float64](a.CastTo(torch.Double)), torch.Values[float64](b.CastTo(torch.Double))
	if len(x) != len(y) {
		return math.Inf(1)
	}
	d := 0.0
	for i := range x {
		d = max(d, math.Abs(x[i]-y[i]))
	}
	return d
}

func TestInitialisationDrawsPyTorchsNumbers(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	g := goldens(t)
	sd := network().StateDict()
	for name, got := range sd {
		want, ok := g["init."+name]
		if !ok {
			t.Errorf("PyTorch has no %s", name)
			continue
		}
		if !torch.Equal(got, want) {
			t.Errorf("%s differs from PyTorch's by %v", name, largestDifference(got, want))
		}
	}
	if len(sd) != 15 {
		t.Errorf("the state has %d tensors, PyTorch's 15", len(sd))
	}
}

// The learning rate and momentum of step i, as in the golden's script.
func schedule(i int) (lr, mom float64) {
	return 0.002 + 0.02*float64(i%25)/25, 0.95 - 0.1*float64(i%25)/25
}

func TestHundredStepsEqualPyTorch(t *testing.T) {
	byDimension := func(net *nn.SequentialModule, opt torch.Optimizer) torch.Optimizer {
		var decay, rest []torch.Tensor
		for _, p := range net.Parameters() {
			if p.Dim() > 1 {
				decay = append(decay, p)
			} else {
				rest = append(rest, p)
			}
		}
		opt.AddGroup(decay, opt.Defaults())
		o := opt.Defaults()
		o.WeightDecay = 0
		opt.AddGroup(rest, o)
		return opt
	}
	all := func(net *nn.SequentialModule, opt torch.Optimizer) torch.Optimizer {
		opt.AddParameters(net.Parameters())
		return opt
	}
	moving := func(opt torch.Optimizer, i int) {
		lr, mom := schedule(i)
		opt.SetLR(lr)
		opt.SetBetas(mom, 0.99)
	}
	fixed := func(torch.Optimizer, int) {}
	for _, c := range []struct {
		name string
		make func(net *nn.SequentialModule) torch.Optimizer
		set  func(torch.Optimizer, int)
	}{
		{"sgd", func(n *nn.SequentialModule) torch.Optimizer { return all(n, torch.SGD(0.05, 0, 0, 0, false)) }, fixed},
		{"momentum", func(n *nn.SequentialModule) torch.Optimizer { return all(n, torch.SGD(0.02, 0.9, 0, 0.01, true)) }, fixed},
		{"adam", func(n *nn.SequentialModule) torch.Optimizer { return all(n, torch.Adam(0.01, 0.9, 0.999, 0.01)) }, fixed},
		{"adamw", func(n *nn.SequentialModule) torch.Optimizer {
			return byDimension(n, torch.AdamW(0.01, 0.95, 0.99, 1e-5, 0.01))
		}, moving},
		{"fastai", func(n *nn.SequentialModule) torch.Optimizer {
			return byDimension(n, torch.AdamW(0.01, 0.95, 0.99, 1e-5, 0.01))
		}, moving},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			g := goldens(t)
			net := network()
			opt := c.make(net)
			defer opt.Close()
			torch.ManualSeed(7)
			var x, y []torch.Tensor
			for range 4 {
				x = append(x, torch.RandN([]int64{6, 3, 8, 8}, false))
				y = append(y, torch.RandInt(0, 5, []int64{6}))
			}
			want := torch.Values[float64](g[c.name+".losses"])
			worst := 0.0
			for i := range want {
				torch.Scoped(func(*torch.Scope) {
					loss := F.CrossEntropy(net.Forward(x[i%4]).(torch.Tensor), y[i%4], torch.Tensor{}, -100, "mean")
					opt.ZeroGrad()
					loss.Backward()
					c.set(opt, i)
					opt.Step()
					worst = max(worst, math.Abs(loss.ItemFloat64()-want[i]))
				})
			}
			t.Logf("%d steps: the losses differ by at most %.2g", len(want), worst)
			if worst > 1e-4 {
				t.Errorf("the losses differ by %v", worst)
			}
			// A weight before a BatchNorm has almost no gradient along itself, so rounding lets it drift
			// without moving the loss.
			for name, got := range net.StateDict() {
				if d := largestDifference(got, g[c.name+"."+name]); d > 1e-3 {
					t.Errorf("%s differs by %v after %d steps", name, d, len(want))
				}
			}
		})
	}
}

// Stopping after some steps and going on from the saved state gives the same bits.
func TestOptimiserStateResumes(t *testing.T) {
	for _, kind := range []string{"adamw", "sgd"} {
		t.Run(kind, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			build := func() (*nn.SequentialModule, torch.Optimizer) {
				net := network()
				opt := torch.AdamW(0.01, 0.9, 0.99, 1e-5, 0.01)
				if kind == "sgd" {
					opt = torch.SGD(0.01, 0.9, 0, 0.01, false)
				}
				opt.AddParameters(net.Parameters())
				return net, opt
			}
			x, y := torch.RandN([]int64{6, 3, 8, 8}, false), torch.RandInt(0, 5, []int64{6})
			train := func(net *nn.SequentialModule, opt torch.Optimizer, steps int) {
				for range steps {
					opt.ZeroGrad()
					F.CrossEntropy(net.Forward(x).(torch.Tensor), y, torch.Tensor{}, -100, "mean").Backward()
					opt.Step()
				}
			}
			a, optA := build()
			train(a, optA, 3)
			path := t.TempDir() + "/checkpoint.safetensors"
			both := map[string]torch.Tensor{}
			for k, v := range a.StateDict() {
				both["model."+k] = v
			}
			state := optA.State()
			if len(state) == 0 {
				t.Fatal("the optimiser has no state after three steps")
			}
			for k, v := range state {
				both["optimiser."+k] = v
			}
			if err := safetensors.Save(path, both, nil); err != nil {
				t.Fatal(err)
			}
			train(a, optA, 3)

			b, optB := build()
			loaded, err := safetensors.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			model, optimiser := map[string]torch.Tensor{}, map[string]torch.Tensor{}
			for k, v := range loaded {
				if len(k) > 6 && k[:6] == "model." {
					model[k[6:]] = v
				} else {
					optimiser[k[10:]] = v
				}
			}
			if err := b.SetStateDict(model); err != nil {
				t.Fatal(err)
			}
			if err := optB.SetState(optimiser); err != nil {
				t.Fatal(err)
			}
			train(b, optB, 3)
			for name, got := range b.StateDict() {
				if !torch.Equal(got, a.StateDict()[name]) {
					t.Errorf("%s differs from the run without a stop", name)
				}
			}
			delete(optimiser, "0.step")
			optimiser["99.step"] = torch.Ones(nil, false)
			if err := optB.SetState(optimiser); err == nil {
				t.Error("an entry for a parameter that is not there must be an error")
			}
		})
	}
}

func Example() {
	s := torch.NewScope()
	defer s.Close()
	net := nn.Sequential(nn.Linear(4, 3, true), nn.Functional(torch.Relu), nn.Linear(3, 2, true))
	for _, p := range net.Named() {
		fmt.Println(p.Name, p.Tensor.Shape())
	}
	// Output:
	// 0.weight [3 4]
	// 0.bias [3]
	// 2.weight [2 3]
	// 2.bias [2]
}
