package trainer

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// What scripts/golden/trainer_fastai.py wrote.
type golden struct {
	Flat           goldenSchedule `json:"flat"`
	OneCycle       goldenSchedule `json:"one_cycle"`
	OneCycleEpochs goldenSchedule `json:"one_cycle_epochs"`
	ThreeSteps     struct {
		Losses       []float64          `json:"losses"`
		Smoothed     []float64          `json:"smoothed"`
		Rates        []float64          `json:"rates"`
		Momenta      []float64          `json:"momenta"`
		AbsoluteSums map[string]float64 `json:"absolute_sums"`
		Parameters   int64              `json:"parameters"`
	} `json:"three_steps"`
}

type goldenSchedule struct {
	Steps   int       `json:"steps"`
	LR      float64   `json:"lr"`
	Rates   []float64 `json:"rates"`
	Momenta []float64 `json:"momenta"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/fastai.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
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
			lr, momentum := Rates(test.schedule, test.want.LR, i, test.want.Steps)
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

// TestThreeStepsEqualFastai trains the article's network on three batches from
// the golden's weights: losses, smoothed losses and the trained weights must be
// fastai's.
func TestThreeStepsEqualFastai(t *testing.T) {
	const batch, size, classes = 4, 200, 4
	want := readGolden(t).ThreeSteps
	scope := torch.NewScope()
	defer scope.Close()
	recipe := Article()
	model, err := newModel(recipe, classes)
	if err != nil {
		t.Fatal(err)
	}
	source := congruential(1)
	var parameters int64
	for _, p := range model.Named() {
		if p.Buffer {
			continue
		}
		parameters += p.Tensor.Numel()
		fill(t, p.Name, p.Tensor, &source)
	}
	if parameters != want.Parameters {
		t.Fatalf("%d parameters, want %d", parameters, want.Parameters)
	}
	toDevice(model, torch.NewDevice("cpu"))
	optimizer := newOptimizer(model, recipe)
	var smoothed smoothedLoss
	for step := range want.Losses {
		pixels := make([]float32, batch*3*size*size)
		for i := range pixels {
			pixels[i] = float32(uint8(source.uniform()*256)) / 255
		}
		labels := make([]int64, batch)
		for i := range labels {
			labels[i] = int64(source.uniform() * classes)
		}
		x := torch.NewTensor(pixels).View(batch, 3, size, size).ChannelsLast()
		lr, momentum := Rates(OneCycle, recipe.LearningRate, step, len(want.Losses))
		loss := optimise(model, optimizer, x, torch.NewTensor(labels), lr, momentum)
		if !near(loss, want.Losses[step], 1e-5) {
			t.Errorf("step %d: loss %.8f, want %.8f", step, loss, want.Losses[step])
		}
		if s := smoothed.add(loss); !near(s, want.Smoothed[step], 1e-5) {
			t.Errorf("step %d: smoothed loss %.8f, want %.8f", step, s, want.Smoothed[step])
		}
	}
	for name, sum := range want.AbsoluteSums {
		tensor, ok := model.StateDict()[name]
		if !ok {
			t.Errorf("the model has no tensor %q", name)
			continue
		}
		if got := absoluteSum(tensor); !near(got, sum, 1e-4) {
			t.Errorf("%s: absolute sum %.8f after the steps, want %.8f", name, got, sum)
		}
	}
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
