package trainer

import (
	"math"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/models"
)

// What scripts/golden/trainer_fastai.py wrote.
type golden struct {
	Flat           goldenSchedule `json:"flat"`
	OneCycle       goldenSchedule `json:"one_cycle"`
	OneCycleEpochs goldenSchedule `json:"one_cycle_epochs"`

	ThreeSteps map[string]goldenSteps `json:"three_steps"` // by network
}

type goldenSteps struct {
	Losses       []float64          `json:"losses"`
	Smoothed     []float64          `json:"smoothed"`
	AbsoluteSums map[string]float64 `json:"absolute_sums"`
	Parameters   int64              `json:"parameters"`
}

type goldenSchedule struct {
	Steps   int       `json:"steps"`
	LR      float64   `json:"lr"`
	Rates   []float64 `json:"rates"`
	Momenta []float64 `json:"momenta"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	return testdata.Golden[golden](t, "testdata/fastai.json")
}

func near(a, b, relative float64) bool {
	return math.Abs(a-b) <= relative*math.Max(math.Abs(a), math.Abs(b))
}

// fastai keeps the phases' borders in float32, hence 1e-6.
func TestRatesEqualFastai(t *testing.T) {
	g := readGolden(t)
	for name, test := range map[string]struct {
		schedule string
		want     goldenSchedule
	}{"flat": {Flat, g.Flat}, "one cycle": {OneCycle, g.OneCycle}, "one cycle over epochs": {OneCycle, g.OneCycleEpochs}} {
		if len(test.want.Rates) != test.want.Steps || test.want.Steps == 0 {
			t.Fatalf("%s: the golden has %d rates for %d steps", name, len(test.want.Rates), test.want.Steps)
		}
		for i, want := range test.want.Rates {
			recipe := Article()
			recipe.Schedule, recipe.LearningRate, recipe.Epochs = test.schedule, test.want.LR, 1
			lr, momentum := recipe.Rates(i, test.want.Steps)
			if !near(lr, want, 1e-6) || !near(momentum, test.want.Momenta[i], 1e-6) {
				t.Errorf("%s, step %d: lr %v momentum %v, want %v and %v", name, i, lr, momentum, want, test.want.Momenta[i])
			}
		}
	}
}

// A congruential is the generator that the golden's script uses.
type congruential uint32

func (c *congruential) uniform() float64 {
	*c = *c*1664525 + 1013904223
	return float64(*c>>8) / (1 << 24)
}

// TestThreeStepsEqualFastai trains the article's networks on three batches from
// the golden's weights: losses and trained weights must be fastai's. With
// BatchNorm the truth is float64's, and the bounds are what float32 allows:
// PyTorch's own is as far from it, see the golden's script.
func TestThreeStepsEqualFastai(t *testing.T) {
	want := readGolden(t).ThreeSteps
	close3 := [3]float64{1e-5, 1e-5, 1e-5}
	drawn := drawings{}
	for _, test := range []struct {
		network, kernels string
		bounds           [3]float64 // relative, of each step's loss
	}{
		{"plain", "own", close3}, {"plain", "libtorch", close3},
		{"relu", "own", close3}, {"relu", "libtorch", close3},
		{"batchnorm", "own", close3}, {"batchnorm_float64", "own", close3},
		{"batchnorm_float64", "libtorch", [3]float64{1e-4, 4e-4, 1e-3}},
	} {
		t.Run(test.network+" "+test.kernels, func(t *testing.T) {
			if err := torch.SetKernels(test.kernels, ""); err != nil {
				t.Fatal(err)
			}
			recipe := Article()
			recipe.ReLU, recipe.BatchNorm = test.network != "plain", strings.HasPrefix(test.network, "batchnorm")
			threeSteps(t, drawn, recipe, want[test.network], test.bounds)
		})
	}
}

// goldenNetwork is the recipe's network with the weights that the goldens' scripts draw first, and the
// generator as they leave it.
func goldenNetwork(t *testing.T, recipe Recipe, classes int) (models.Model, *congruential) {
	t.Helper()
	model, err := newModel(recipe, classes)
	if err != nil {
		t.Fatal(err)
	}
	source := congruential(1)
	for _, p := range model.Named() {
		if !p.Buffer {
			fill(t, p.Name, p.Tensor, &source)
		}
	}
	toDevice(model, cpu())
	return model, &source
}

func threeSteps(t *testing.T, drawn drawings, recipe Recipe, want goldenSteps, bounds [3]float64) {
	t.Helper()
	const batch, size, classes, planned = 32, 200, 4, 85
	scope := torch.NewScope()
	defer scope.Close()
	model, source := goldenNetwork(t, recipe, classes)
	var parameters int64
	for _, p := range model.Parameters() {
		parameters += p.Numel()
	}
	if parameters != want.Parameters {
		t.Fatalf("%d parameters, want %d", parameters, want.Parameters)
	}
	optimizer := newOptimizer(model, recipe)
	var smoothed smoothedLoss
	for step := range want.Losses {
		pixels := make([]float32, 0, batch*3*size*size)
		for range batch * 3 {
			pixels = append(pixels, drawn.channel(source, size)...)
		}
		labels := make([]int64, batch)
		for i := range labels {
			labels[i] = int64(source.uniform() * classes)
		}
		x := torch.NewTensor(pixels).View(batch, 3, size, size).ChannelsLast()
		lr, momentum := recipe.Rates(step, planned)
		loss := optimise(model, optimizer, x, target{labels: torch.NewTensor(labels)}, lr, momentum, nil, false, always)
		if !near(loss, want.Losses[step], bounds[step]) {
			t.Errorf("step %d: loss %.8f, want %.8f", step, loss, want.Losses[step])
		}
		if s := smoothed.add(loss); len(want.Smoothed) > 0 && !near(s, want.Smoothed[step], bounds[step]) {
			t.Errorf("step %d: smoothed loss %.8f, want %.8f", step, s, want.Smoothed[step])
		}
	}
	for name, sum := range want.AbsoluteSums {
		tensor, ok := model.StateDict()[name]
		if !ok {
			t.Errorf("the model has no tensor %q", name)
			continue
		}
		if got := absoluteSum(tensor); tensor.Dim() > 1 && !near(got, sum, bounds[2]) {
			t.Errorf("%s: absolute sum %.8f after the steps, want %.8f", name, got, sum)
		}
	}
}

// drawings keeps the channels that were drawn by where the generator stood: every network sees the same ones.
type drawings map[congruential]drawing

type drawing struct {
	channel []float32
	after   congruential
}

func (d drawings) channel(source *congruential, size int) []float32 {
	start := *source
	if _, ok := d[start]; !ok {
		channel := waves(source, size)
		d[start] = drawing{channel, *source}
	}
	*source = d[start].after
	return d[start].channel
}

// waves is one channel of a picture, as the script draws it.
func waves(source *congruential, size int) []float32 {
	const count, maxCycles = 4, 12
	z := make([]float64, size*size)
	for range count {
		u, v := (source.uniform()*2-1)*maxCycles, (source.uniform()*2-1)*maxCycles
		phase, amplitude := source.uniform(), source.uniform()+0.2
		for i := range z {
			x, y := float64(i%size)/float64(size), float64(i/size)/float64(size)
			z[i] += amplitude * math.Sin(2*math.Pi*(u*x+v*y+phase))
		}
	}
	channel := make([]float32, size*size)
	for i := range z {
		channel[i] = float32(math.Floor(256/(1+math.Exp(-z[i])))) / 255
	}
	return channel
}

// fill repeats the script's draws: U(-b, b) for weights, b = 1/sqrt(fan in); zero for convolutions' biases.
func fill(t *testing.T, name string, p torch.Tensor, source *congruential) {
	t.Helper()
	shape := p.Shape()
	values := make([]float32, p.Numel())
	switch {
	case len(shape) > 1:
		bound := 1 / math.Sqrt(float64(p.Numel()/shape[0]))
		for i := range values {
			values[i] = float32((source.uniform()*2 - 1) * bound)
		}
	case len(name) > 7 && name[len(name)-7:] == ".0.bias": // stays zero
	default:
		return
	}
	torch.NoGrad(func() { p.SetData(torch.NewTensor(values).View(shape...)) })
}

func absoluteSum(t torch.Tensor) float64 {
	sum := 0.0
	for _, x := range torch.Values[float32](t) {
		sum += math.Abs(float64(x))
	}
	return sum
}
