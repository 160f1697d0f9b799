package nn_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

// everything has a part of each kind that a module can have.
type everything struct {
	nn.Module
	W           torch.Tensor
	Mean        torch.Tensor `gotorch:"buffer"`
	None        torch.Tensor
	Renamed     torch.Tensor `gotorch:"buffer,other_name"`
	FC1         *nn.LinearModule
	NoLayer     *nn.LinearModule
	Layers      []*nn.LinearModule
	Weights     []torch.Tensor
	Any         nn.IModule
	Size        int64
	Words       []string
	unexported  int
	HiddenUnits map[string]int
}

func newEverything() *everything {
	one := func() torch.Tensor { return torch.Ones([]int64{1}, true) }
	m := &everything{W: one(), Mean: one(), Renamed: one(), FC1: nn.Linear(1, 1, false),
		Layers: []*nn.LinearModule{nn.Linear(1, 1, true), nn.Linear(1, 1, false)}, Weights: []torch.Tensor{one(), one()},
		Any: nn.Sequential(nn.Linear(1, 1, false)), Words: []string{"a"}, unexported: 1}
	m.Init(m)
	return m
}

func TestNamesOfParts(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m := newEverything()
	var got []string
	for _, n := range m.Named() {
		name := n.Name
		if n.Buffer {
			name += " (buffer)"
		}
		got = append(got, name)
	}
	want := []string{"w", "mean (buffer)", "other_name (buffer)", "fc1.weight", "layers.0.weight", "layers.0.bias", "layers.1.weight",
		"weights.0", "weights.1", "any.0.weight"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if p, b := len(m.Parameters()), len(m.Buffers()); p != 8 || b != 2 || len(m.NamedParameters()) != p || len(m.NamedBuffers()) != b {
		t.Errorf("%d parameters and %d buffers, want 8 and 2", p, b)
	}
	if m.Name() != "nn_test.everything" || m.FC1.Name() != "nn.LinearModule" || m.Outer() != nn.IModule(m) {
		t.Errorf("called %s, holds %s", m.Name(), m.FC1.Name())
	}
}

func TestTrainAndApplyReachEveryPart(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m := newEverything()
	m.Eval()
	inner := m.Any.(*nn.SequentialModule)
	if m.IsTraining() || m.FC1.IsTraining() || m.Layers[1].IsTraining() || inner.Modules[0].IsTraining() {
		t.Error("a part is still in training")
	}
	m.Train(true)
	if !inner.Modules[0].IsTraining() {
		t.Error("a part is not in training")
	}
	var names []string
	m.Apply(func(n nn.IModule) { names = append(names, n.Name()) })
	want := []string{"nn_test.everything", "nn.LinearModule", "nn.LinearModule", "nn.LinearModule", "nn.SequentialModule", "nn.LinearModule"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

func TestToKeepsTheTensors(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	m := nn.Sequential(nn.Linear(2, 2, true), nn.BatchNorm2d(2, 1e-5, 0.1, true, true))
	before := m.Parameters()[0]
	m.To(torch.CPU, torch.Double)
	if before.Dtype() != torch.Double || m.Parameters()[0].T != before.T {
		t.Error("an optimiser would have lost the parameter")
	}
	for _, n := range m.Named() {
		want := torch.Double
		if strings.HasSuffix(n.Name, "num_batches_tracked") {
			want = torch.Long
		}
		if n.Tensor.Dtype() != want {
			t.Errorf("%s is %s", n.Name, torch.DtypeName(n.Tensor.Dtype()))
		}
	}
}

func TestSetStateDictCopiesOrRefuses(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	a, b := nn.Linear(2, 3, true), nn.Linear(2, 3, true)
	weight := b.Weight
	if err := b.SetStateDict(a.StateDict()); err != nil {
		t.Fatal(err)
	}
	if b.Weight.T != weight.T || !torch.Equal(a.Weight, weight) || !weight.RequiresGrad() {
		t.Error("the values were not copied into the tensors")
	}
	kept := torch.Values[float32](weight)
	for name, change := range map[string]func(map[string]torch.Tensor){
		"bias":   func(m map[string]torch.Tensor) { delete(m, "bias") },
		"extra":  func(m map[string]torch.Tensor) { m["extra"] = torch.Ones(nil, false) },
		"weight": func(m map[string]torch.Tensor) { m["weight"] = torch.Ones([]int64{3, 3}, false) },
	} {
		sd := map[string]torch.Tensor{"weight": torch.Zeros([]int64{3, 2}, false), "bias": torch.Zeros([]int64{3}, false)}
		change(sd)
		if err := b.SetStateDict(sd); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := cmp.Diff(kept, torch.Values[float32](weight)); d != "" {
		t.Error("a state that was refused changed the weights")
	}
}

type noInit struct{ nn.Module }

type hidesAPart struct {
	nn.Module
	fc *nn.LinearModule
}

func TestModulesMadeWrongAreRefused(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for name, f := range map[string]func(){
		"without Init":       func() { (&noInit{}).Train(true) },
		"a part not visible": func() { m := &hidesAPart{fc: nn.Linear(1, 1, true)}; m.Init(m); m.Parameters() },
		"an empty chain":     func() { nn.Sequential().Forward(torch.Ones([]int64{1}, false)) },
		"groups":             func() { nn.Conv2d(3, 4, 3, 1, 1, 1, 2, true, "zeros") },
		"a padding mode":     func() { nn.ConvTranspose2d(3, 4, 3, 1, 1, 0, 1, true, 1, "circular") },
		"an input too flat": func() {
			nn.BatchNorm2d(2, 1e-5, 0.1, true, true).Forward(torch.Ones([]int64{1, 2}, false))
		},
		"an interpolation":   func() { F.Interpolate(torch.Ones([]int64{1, 1, 2, 2}, false), []int64{3, 3}, "cubist", false, false) },
		"a nil tensor":       func() { initializer.Zeros(nil) },
		"an odd gain":        func() { initializer.CalculateGain("sine", 0) },
		"an odd fan":         func() { w := torch.Ones([]int64{2, 2}, false); initializer.KaimingUniform(&w, 0, "fan_club", "relu") },
		"a fan of a vector":  func() { initializer.CalculateFanInAndFanOut(torch.Ones([]int64{2}, false)) },
		"orthogonal vectors": func() { w := torch.Ones([]int64{2}, false); initializer.Orthogonal(&w, 1) },
	} {
		if err := torch.Try(f); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestPaddingModes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.RandN([]int64{1, 1, 4, 4}, false)
	for mode, same := range map[string]bool{"zeros": true, "": true, "zero": true, "reflect": false, "replicate": false, "circular": false} {
		torch.ManualSeed(1)
		a := nn.Conv2d(1, 1, 3, 1, 1, 1, 1, true, "zeros").Forward(x)
		torch.ManualSeed(1)
		b := nn.Conv2d(1, 1, 3, 1, 1, 1, 1, true, mode).Forward(x)
		if got := torch.Equal(a, b); got != same {
			t.Errorf("%q gives the same as zeros: %v", mode, got)
		}
	}
}

// In evaluation the running statistics count, without them the batch's do.
func TestBatchNormModes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.RandN([]int64{4, 2, 3, 3}, false)
	b := nn.BatchNorm2d(2, 1e-5, 0.1, true, true)
	b.Forward(x)
	b.Forward(x)
	if n := b.NumBatchesTracked.ItemInt64(); n != 2 {
		t.Errorf("%d steps were counted, want 2", n)
	}
	mean := torch.Values[float32](b.RunningMean)
	b.Eval()
	y := b.Forward(x)
	if d := cmp.Diff(mean, torch.Values[float32](b.RunningMean)); d != "" || b.NumBatchesTracked.ItemInt64() != 2 {
		t.Error("evaluation moved the statistics")
	}
	free := nn.BatchNorm2d(2, 1e-5, 0.1, false, false)
	free.Eval()
	if torch.AllClose(y, free.Forward(x)) {
		t.Error("without running statistics evaluation must use the batch's")
	}
}

func TestInitialisersHaveTheirMoments(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	torch.ManualSeed(1)
	shape := []int64{200, 100}
	for name, c := range map[string]struct {
		fill func(w *torch.Tensor)
		std  float64
	}{
		"KaimingNormal":  {func(w *torch.Tensor) { initializer.KaimingNormal(w, 0, "fan_in", "relu") }, 0.141421},
		"KaimingUniform": {func(w *torch.Tensor) { initializer.KaimingUniform(w, 0, "fan_out", "relu") }, 0.1},
		"XavierNormal":   {func(w *torch.Tensor) { initializer.XavierNormal(w, 1) }, 0.081650},
		"XavierUniform":  {func(w *torch.Tensor) { initializer.XavierUniform(w, 2) }, 0.163299},
		"TruncNormal":    {func(w *torch.Tensor) { initializer.TruncNormal(w, 0, 1, -2, 2) }, 0.879626},
		"Normal":         {func(w *torch.Tensor) { initializer.Normal(w, 0, 3) }, 3},
		"Constant":       {func(w *torch.Tensor) { initializer.Constant(w, 3) }, 0},
	} {
		w := torch.Empty(shape, true)
		c.fill(&w)
		if got := w.Std(nil, 1, false).ItemFloat64(); got < c.std*0.98 || got > c.std*1.02 {
			t.Errorf("%s: standard deviation %v, want %v", name, got, c.std)
		}
		if !w.RequiresGrad() || !w.IsLeaf() {
			t.Errorf("%s changed the parameter's place in autograd", name)
		}
	}
	w := torch.Empty([]int64{3, 5}, true)
	initializer.Orthogonal(&w, 2)
	if got := torch.MM(w, w.Transpose(0, 1)); got.Sub(torch.Eye(3, 3, false).MulScalar(4), 1).Abs().Max().ItemFloat64() > 1e-5 {
		t.Errorf("the rows are not orthogonal: %v", got)
	}
}
