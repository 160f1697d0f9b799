package trainer

import (
	"math"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/models"
)

// What scripts/golden/trainer_methods.py wrote.
type goldenMethods struct {
	Optimisers map[string]map[string][]float64 // weights by optimiser and parameter
	Losses     map[string]struct {
		Loss     float64
		Gradient []float64
	}
	Schedules       map[string][]float64
	FastaiSchedules map[string]struct {
		Rates   [][]float64 // of each group
		Momenta []float64
	} `json:"fastai_schedules"`
	Average map[string][]float64
}

func readMethods(t *testing.T) goldenMethods {
	t.Helper()
	return testdata.Golden[goldenMethods](t, "testdata/methods.json")
}

// draw is the script's tensor number k, in [-1, 1).
func draw(k int, shape ...int64) torch.Tensor {
	n := int64(1)
	for _, s := range shape {
		n *= s
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(2*testdata.Uniform(i, k) - 1)
	}
	return torch.NewTensor(v).View(shape...)
}

// threeParts is a model that only has weights.
type threeParts struct {
	nn.Module
	Matrix, Convolution, Vector torch.Tensor
}

func newThreeParts() *threeParts {
	m := &threeParts{Matrix: draw(0, 5, 3), Convolution: draw(1, 4, 2, 3, 3), Vector: draw(2, 6)}
	for _, p := range []torch.Tensor{m.Matrix, m.Convolution, m.Vector} {
		p.SetRequiresGrad(true)
	}
	m.Init(m)
	return m
}

func (m *threeParts) Logits(x torch.Tensor) torch.Tensor   { return x }
func (m *threeParts) Features(x torch.Tensor) torch.Tensor { return x }
func (m *threeParts) Stages() []models.Stage {
	return []models.Stage{{Name: "all", Modules: []nn.IModule{m}}}
}
func (m *threeParts) Through(x torch.Tensor, _, _ int) torch.Tensor { return x }
func (m *threeParts) Freeze(int)                                    {}

func (m *threeParts) setGradients(step int) {
	for i, p := range m.Parameters() {
		p.SetGrad(draw(100+10*step+i, p.Shape()...))
	}
}

func close64(t *testing.T, what string, got torch.Tensor, want []float64, bound float64) {
	t.Helper()
	values := torch.Values[float32](got)
	if len(values) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(values), len(want))
	}
	for i, w := range want {
		if d := math.Abs(float64(values[i]) - w); !(d <= bound*math.Max(1, math.Abs(w))) {
			t.Errorf("%s, value %d: %v, want %v", what, i, values[i], w)
			return
		}
	}
}

func methodRecipe(name string) Recipe {
	r := Article()
	r.LearningRate, r.WeightDecay, r.Optimizer = 0.02, 0.1, name
	if name == "lookahead" {
		r.Optimizer, r.Lookahead = Adam, 3
	}
	return r
}

// Each optimiser's weights after seven steps; Muon works in bfloat16, hence its bound.
func TestOptimisersEqualPyTorchAndTimm(t *testing.T) {
	for name, want := range readMethods(t).Optimisers {
		t.Run(name, func(t *testing.T) {
			scope := torch.NewScope()
			defer scope.Close()
			m := newThreeParts()
			o := newOptimizer(m, methodRecipe(name))
			defer o.Close()
			for step := range 7 {
				o.setRates(0.02*(1+float64(step)/10), 0.9)
				o.begin()
				m.setGradients(step)
				o.end(false)
			}
			bound := 2e-6
			if name == Muon {
				bound = 2e-3
			}
			for part, values := range want {
				close64(t, part, m.StateDict()[part], values, bound)
			}
		})
	}
	// One is lookahead; muon-sgd's is in speednet_test.go.
	if got, want := len(readMethods(t).Optimisers), len(OptimizerNames())+1-1; got != want {
		t.Errorf("%d optimisers have goldens, want %d", got, want)
	}
}

func TestLossesEqualPyTorchTimmAndFastai(t *testing.T) {
	for name, want := range readMethods(t).Losses {
		t.Run(name, func(t *testing.T) {
			scope := torch.NewScope()
			defer scope.Close()
			kind, variant, _ := strings.Cut(name, " ")
			c := criterion{Method: Article().Method}
			c.Loss = kind
			wanted := target{labels: torch.NewTensor([]int64{0, 3, 1, 2, 2, 1})}
			switch variant {
			case "smoothed":
				c.LabelSmoothing = 0.1
			case "weighted":
				c.weights = torch.NewTensor([]float32{0.5, 1, 1.5, 2})
				if kind == Focal {
					c.FocalGamma = 1.5
				} else {
					c.LabelSmoothing = 0.1
				}
			case "mixed":
				wanted.partner = torch.NewTensor([]int64{1, 2, 1, 0, 3, 3})
				wanted.own = draw(3, 6).AddScalar(1).DivScalar(2)
				if kind == CrossEntropy {
					c.LabelSmoothing = 0.1
				}
			}
			x := draw(1, 6, 4).MulScalar(3).Detach()
			x.SetRequiresGrad(true)
			loss := c.loss(x, wanted)
			loss.Backward()
			if got := loss.ItemFloat64(); !near(got, want.Loss, 2e-6) {
				t.Errorf("loss %v, want %v", got, want.Loss)
			}
			close64(t, "gradient", x.Grad(), want.Gradient, 1e-6)
		})
	}
}

func TestSchedulesEqualPyTorch(t *testing.T) {
	for name, want := range readMethods(t).Schedules {
		r := Article()
		r.LearningRate, r.Epochs, r.StepEpochs, r.StepGamma = 0.02, 6, 2, 0.3
		var warm string
		r.Schedule, warm, _ = strings.Cut(name, " ")
		if warm != "" {
			r.WarmupEpochs = 1
		}
		for i, w := range want {
			if lr, _ := r.Rates(i, len(want)); math.Abs(lr-w) > 1e-9 {
				t.Errorf("%s, step %d: %v, want %v", name, i, lr, w)
			}
		}
	}
}

// fastai keeps the phases' borders in float32, hence 1e-6. Its sliced rates of fine_tune's first, frozen phase do not matter but
// for the head's.
func TestSchedulesEqualFastai(t *testing.T) {
	for name, want := range readMethods(t).FastaiSchedules {
		r := Article()
		r.LearningRate, r.Epochs, r.Schedule = 0.02, 6, name
		if name == FineTune {
			r.FreezeEpochs = 2
			r = r.FineTuned(4)
		}
		for i, rates := range want.Rates {
			lr, momentum := r.Rates(i, len(want.Rates))
			if !near(lr, rates[2], 1e-5) || !near(momentum, want.Momenta[i], 1e-5) {
				t.Errorf("%s, step %d: lr %v momentum %v, want %v and %v", name, i, lr, momentum, rates[2], want.Momenta[i])
			}
			if name == FineTune && i >= 20 && (!near(rates[0], lr/100, 1e-5) || !near(rates[1], lr/10, 1e-5)) {
				t.Errorf("step %d: fastai's groups have %v", i, rates)
			}
		}
		if name == FineTune && (r.Epochs != 6 || r.LRRatio != 100) {
			t.Errorf("fine_tune(4, freeze_epochs=2) is %d epochs at a ratio of %v", r.Epochs, r.LRRatio)
		}
	}
}

// The stages of a network get rates on a geometric series.
func TestRatesOfStages(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	r := methodRecipe(Adam)
	r.LRRatio = 100
	m, err := models.New("resnet9", models.Options{Classes: 2, Width: 0.125})
	if err != nil {
		t.Fatal(err)
	}
	o := newOptimizer(m, r)
	defer o.Close()
	o.setRates(1, 0.9)
	for g := range o.rules[0].Groups() {
		want := math.Pow(100, -float64(4-g/2)/4)
		if got := o.rules[0].GroupOptions(g); !near(got.LR, want, 1e-9) || got.Beta1 != 0.9 || (got.WeightDecay == 0) != (g%2 == 1) {
			t.Errorf("group %d: %+v, want lr %v", g, got, want)
		}
	}
}

func TestAverageEqualsTimm(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	bn := nn.BatchNorm2d(3, 1e-5, 0.1, true, true)
	set := func(step int) {
		torch.NoGrad(func() {
			for i, p := range []torch.Tensor{bn.Weight, bn.Bias, bn.RunningMean, bn.RunningVar} {
				p.CopyI(draw(50+10*step+i, 3))
			}
		})
	}
	set(0)
	holder := &oneNorm{Norm: bn}
	holder.Init(holder)
	a := newAverage(holder, 0.9)
	for step := 1; step < 5; step++ {
		set(step)
		a.step()
	}
	own := bn.Weight.Detach().Clone()
	a.within(func() {
		for name, want := range readMethods(t).Average {
			if name != "num_batches_tracked" { // a count: ours is the model's
				close64(t, name, holder.StateDict()["norm."+name], want, 1e-6)
			}
		}
	})
	if !torch.Equal(bn.Weight, own) {
		t.Error("the model's own weights did not come back")
	}
}

// oneNorm is a model of one BatchNorm.
type oneNorm struct {
	nn.Module
	Norm *nn.BatchNorm2dModule
}

func (m *oneNorm) Logits(x torch.Tensor) torch.Tensor   { return x }
func (m *oneNorm) Features(x torch.Tensor) torch.Tensor { return x }
func (m *oneNorm) Stages() []models.Stage {
	return []models.Stage{{Name: "norm", Modules: []nn.IModule{m.Norm}}}
}
func (m *oneNorm) Through(x torch.Tensor, _, _ int) torch.Tensor { return x }
func (m *oneNorm) Freeze(int)                                    {}
