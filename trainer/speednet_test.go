package trainer

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/models"
)

// What scripts/golden/models_speednet.py wrote.
type goldenSpeed struct {
	N, Side, Planned int
	Losses           []float64
	Weights          map[string]struct {
		Norm   float64
		Values []float64 // evenly spread
	}
}

// The losses of three steps and the weights after them are those of airbench94_muon's network and optimisers in PyTorch, in
// float64. Float32 follows: orthogonal steps magnify what rounds gradients.
func TestMuonSGDEqualsPyTorch(t *testing.T) {
	g := testdata.Golden[goldenSpeed](t, "testdata/speednet.json")
	for name, c := range map[string]struct {
		dtype          torch.Dtype
		losses, values float64 // bounds
	}{"float64": {torch.Double, 1e-7, 1e-7}, "float32": {torch.Float, 2e-3, 2e-2}} {
		t.Run(name, func(t *testing.T) {
			scope := torch.NewScope()
			defer scope.Close()
			m, losses := threeSpeedSteps(t, g, c.dtype)
			for step, want := range g.Losses {
				if !near(losses[step], want, c.losses) {
					t.Errorf("step %d: loss %v, want %v", step, losses[step], want)
				}
			}
			worst := 0.0
			for name, got := range m.StateDict() {
				if got.Dim() == 0 {
					continue
				}
				want, ok := g.Weights[name]
				if !ok {
					t.Errorf("PyTorch's network has no %s", name)
					continue
				}
				values := torch.Values[float64](got.CastTo(torch.Double))
				stride, square := max(1, len(values)/40), 0.0
				for _, v := range values {
					square += v * v
				}
				if !near(math.Sqrt(square), want.Norm, c.values) {
					t.Errorf("%s has the norm %v, want %v", name, math.Sqrt(square), want.Norm)
				}
				for i, w := range want.Values {
					d := math.Abs(values[i*stride] - w)
					if worst = max(worst, d); d > c.values*math.Max(1, math.Abs(w)) {
						t.Errorf("%s, value %d: %v, want %v", name, i*stride, values[i*stride], w)
						break
					}
				}
			}
			t.Logf("weights differ by %.2g", worst)
		})
	}
}

// threeSpeedSteps trains as the script does.
func threeSpeedSteps(t *testing.T, g goldenSpeed, dtype torch.Dtype) (m models.Model, losses []float64) {
	t.Helper()
	r, err := LoadRecipe("cifar10-speed", Article())
	if err != nil {
		t.Fatal(err)
	}
	r.BatchSize, r.Epochs = g.N, 1
	if m, err = newModel(r, 10); err != nil {
		t.Fatal(err)
	}
	torch.NoGrad(func() {
		for k, n := range m.Named() {
			if n.Tensor.Dim() == 0 {
				continue
			}
			v := torch.NewTensor(testdata.Weights(n.Name, n.Tensor.Shape(), k)).View(n.Tensor.Shape()...)
			if n.Name == "head.weight" {
				v = v.MulScalar(16)
			}
			n.Tensor.CopyI(v)
		}
	})
	m.To(torch.CPU, dtype)
	m.ToChannelsLast()
	o := newOptimizer(m, r)
	defer o.Close()
	x := torch.NewTensor(testdata.Waves(g.N, g.Side)).View(int64(g.N), 3, int64(g.Side), int64(g.Side)).CastTo(dtype).ChannelsLast()
	labels := make([]int64, g.N)
	for i := range labels {
		labels[i] = int64(i % 10)
	}
	for step := range g.Losses {
		lr, momentum := r.Rates(step, g.Planned)
		o.at(step, g.Planned)
		losses = append(losses, optimise(m, o, x, target{labels: torch.NewTensor(labels)}, lr, momentum, nil, false, always))
	}
	return m, losses
}

// A linear schedule brings the rate of the whitening's bias to 0 at three eighths, as a line of its own.
func TestRatesOfMuonSGD(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	r, err := LoadRecipe("cifar10-speed", Article())
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.New("speednet", models.Options{Classes: 2, Width: 0.125})
	if err != nil {
		t.Fatal(err)
	}
	o := newOptimizer(m, r)
	defer o.Close()
	const n = 80
	for i := range n {
		lr, momentum := r.Rates(i, n)
		o.at(i, n)
		o.setRates(lr, momentum)
		left := 1 - float64(i)/n
		batch := float64(r.BatchSize)
		stages := len(m.Stages())
		for s := range stages {
			if got := o.rules[0].GroupOptions(s); !near(got.LR, 0.24*left, 1e-9) || got.Momentum != 0.6 {
				t.Fatalf("step %d: filters of stage %d have %+v", i, s, got)
			}
			head, bias := o.rules[1].GroupOptions(2*s), o.rules[1].GroupOptions(2*s+1)
			want := 0.053 * batch * left
			if s == 0 {
				want = 0.053 * batch * max(0, 1-float64(i)/(n*3/8))
			}
			if !near(head.LR, 0.67*batch*left, 1e-9) && s > 0 || !near(bias.LR, want, 1e-9) || bias.Momentum != 0.85 || !bias.Nesterov {
				t.Fatalf("step %d, stage %d: head %+v, biases %+v, want %v", i, s, head, bias, want)
			}
			if !near(head.WeightDecay*0.67, 2e-6, 1e-9) || !near(bias.WeightDecay*0.053, 2e-6, 1e-9) {
				t.Fatalf("step %d: decays %v and %v", i, head.WeightDecay, bias.WeightDecay)
			}
		}
	}
	r.Model = "resnet18"
	if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "speednet") {
		t.Errorf("error %v does not say whose optimiser muon-sgd is", err)
	}
}

// The recipe learns what a few pictures show, and its whitening is that of the pictures it is trained on.
func TestSpeedRecipeLearns(t *testing.T) {
	r, err := LoadRecipe("cifar10-speed", Article())
	if err != nil {
		t.Fatal(err)
	}
	r.Device, r.Width, r.BatchSize, r.Epochs, r.Threads = "cpu", 0.125, 16, 6, 2
	set := colourSet(t, 60)
	run := newRun(t, r)
	defer closeRun(t, run)
	result, err := Fit(t.Context(), r, set, options(run, set))
	if err != nil {
		t.Fatal(err)
	}
	if result.Accuracy < 0.9 {
		t.Errorf("accuracy %v of three colours, want 0.9", result.Accuracy)
	}
	scope := torch.NewScope()
	defer scope.Close()
	state, err := safetensors.Load(filepath.Join(run.Dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	m, err := newModel(r, 3)
	if err != nil {
		t.Fatal(err)
	}
	training, _, err := split(set, r)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := EvaluationLoader(r, set, data.NewCache(set, 0), training)
	if err != nil {
		t.Fatal(err)
	}
	defer batches.Close()
	layer := m.Stages()[0].Modules[0].(*models.Whitening)
	sum, n := torch.ZerosOf([]int64{12, 12}, torch.Double), int64(0)
	all := &endless{loader: batches}
	defer all.close()
	for range batches.Steps() {
		batch, err := all.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		own, k := layer.Patches(pictures(batch, torch.CPU))
		sum, n = sum.Add(own, 1), n+k
		batch.Release()
	}
	got := state["whiten.weight"].Reshape([]int64{24, 12}).CastTo(torch.Double)
	white := got.MM(sum.DivScalar(float64(n))).MM(got.Transpose(0, 1)).Narrow(0, 0, 12).Narrow(1, 0, 12)
	for i, v := range torch.Values[float64](white) {
		if row, column := i/12, i%12; row == column && (v < 0.5 || v > 1.001) || row != column && math.Abs(v) > 1e-3 {
			t.Errorf("components %d and %d have the mean product %v", row, column, v)
		}
	}
}
