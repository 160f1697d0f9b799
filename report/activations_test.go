package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/report/npz"
)

// sampleActivations are those of four modules that settle, the last one dead.
func sampleActivations(steps int) *Activations {
	a := &Activations{Modules: []string{"0.conv", "0.batchnorm", "1.conv", "1.batchnorm"}}
	random := rand.New(rand.NewPCG(3, 4))
	for s := range steps {
		a.Steps = append(a.Steps, int64(s))
		for m := range a.Modules {
			std := float32(0.6 + 0.8*math.Exp(-float64(s)/40) + 0.05*random.NormFloat64())
			zero := float32(0.5)
			if m == 3 {
				std, zero = 0.01, 0.99
			}
			a.Mean, a.Std, a.NearZero = append(a.Mean, std/2), append(a.Std, std), append(a.NearZero, zero)
			for b := range HistogramBins {
				x := (float64(b) + 0.5) / 4
				a.Histogram = append(a.Histogram, uint32(20000*math.Exp(-x*x/float64(2*std*std*4))))
			}
		}
	}
	return a
}

func TestActivationsRoundTrip(t *testing.T) {
	want := sampleActivations(7)
	path := filepath.Join(t.TempDir(), "activations.npz")
	if err := WriteActivations(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadActivations(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want.Std = want.Std[1:]
	if err := WriteActivations(path, want); err == nil || !strings.Contains(err.Error(), `"std" has 27 values; 7 steps of 4 modules want 28`) {
		t.Errorf("a missing value gives %v", err)
	}
}

// Counted by hand: two steps, one module, only bins 0 and 39 filled.
func TestColorDim(t *testing.T) {
	a := &Activations{Modules: []string{"m"}, Steps: []int64{0, 1}, Mean: make([]float32, 2), Std: make([]float32, 2), NearZero: make([]float32, 2),
		Histogram: make([]uint32, 80)}
	a.Histogram[0], a.Histogram[40], a.Histogram[79] = 3, 5, 7
	rows := a.ColorDim(0, 0)
	if len(rows) != 40 || rows[0][0] != math.Log1p(3) || rows[0][1] != math.Log1p(5) || rows[39][1] != math.Log1p(7) || rows[39][0] != 0 || rows[20][0] != 0 {
		t.Errorf("color_dim is %v", rows)
	}
	if half := a.ColorDim(0, 1); half[0][0] != math.Log1p(4) || half[39][0] != math.Log1p(3.5) {
		t.Errorf("averaged color_dim is %v, %v", half[0], half[39])
	}
	m := a.ColorDimImage(0, 0)
	// The origin is below: bin 39 of step 1 is the brightest and lies at the top right.
	if m.ColorIndexAt(1, 0) != 255 || m.ColorIndexAt(0, 0) != 0 || m.ColorIndexAt(0, 39) == 0 {
		t.Errorf("corners are %d, %d, %d", m.ColorIndexAt(1, 0), m.ColorIndexAt(0, 0), m.ColorIndexAt(0, 39))
	}
}

// scripts/golden/report_activations.py kept a network's statistics with fastai
// and what its color_dim draws of them.
func TestColorDimEqualsFastai(t *testing.T) {
	const path = "testdata/activations.npz"
	a, err := LoadActivations(path)
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := npz.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := arrays["color_dim"].Data.([]float32)
	if len(want) != len(a.Modules)*HistogramBins*len(a.Steps) || len(a.Steps) < 10 {
		t.Fatalf("%d values of color_dim for %d modules and %d steps", len(want), len(a.Modules), len(a.Steps))
	}
	seen := 0.0
	for m := range a.Modules {
		for b, row := range a.ColorDim(m, 0) {
			for s, got := range row {
				w := float64(want[(m*HistogramBins+b)*len(a.Steps)+s])
				if math.Abs(got-w) > 1e-6*math.Max(1, w) {
					t.Fatalf("module %d bin %d step %d is %v, fastai's %v", m, b, s, got, w)
				}
				seen += w
			}
		}
	}
	if seen == 0 {
		t.Error("the golden is empty")
	}
}

func TestSummaryNamesTheDead(t *testing.T) {
	got := sampleActivations(100).Summary()
	for i, dead := range []bool{false, false, false, true} {
		if got[i].Dead != dead {
			t.Errorf("%s: dead is %v, want %v", got[i].Module, got[i].Dead, dead)
		}
	}
	if math.Abs(got[3].Std-0.01) > 1e-6 || math.Abs(got[3].NearZero-0.99) > 1e-6 {
		t.Errorf("the last module is %+v", got[3])
	}
}

func TestActivationPlots(t *testing.T) {
	dir := t.TempDir()
	a := sampleActivations(300)
	if err := a.WritePlot(dir, "layer", 1); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteOverview(dir, "all"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"layer.png", "layer.svg", "all.png", "all.svg"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 5000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	keepForLooking(t, dir)
	if err := a.WritePlot(dir, "layer", 4); err == nil || !strings.Contains(err.Error(), "layers 0 to 3") {
		t.Errorf("layer 4 of 4 gives %v", err)
	}
}

func TestLRFindPlot(t *testing.T) {
	f := LRFind{Suggestions: map[string]float64{"valley": 2e-3, "slide": 6e-2, "steep": 8e-4, "minimum": math.NaN()}}
	for i := range 95 {
		lr := 1e-7 * math.Pow(1e8, float64(i)/100)
		f.Points = append(f.Points, [2]float64{lr, 1.4 - 0.5/(1+math.Pow(2e-3/lr, 1.2)) + 0.02*lr*lr*lr*float64(i)})
	}
	f.Points = append(f.Points, [2]float64{5, math.NaN()})
	dir := t.TempDir()
	if err := WriteLRFind(dir, "lr-find", f); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "lr-find.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"valley  2.00e-03", "slide  6.00e-02", "steep  8.00e-04", "1e-7", "1e0"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the plot lacks %q", want)
		}
	}
	if strings.Contains(string(svg), "minimum") {
		t.Error("a suggestion that was not found is shown")
	}
	keepForLooking(t, dir)
	if err := WriteLRFind(dir, "lr-find", LRFind{Points: [][2]float64{{1, 1}}}); err == nil {
		t.Error("one point gave a plot")
	}
}

// keepForLooking copies pictures under $ORRERY_SCREENSHOTS, for people.
func keepForLooking(t *testing.T, dir string) {
	t.Helper()
	folder := os.Getenv("ORRERY_SCREENSHOTS")
	if folder == "" {
		return
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*.png"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s", t.Name(), filepath.Base(path))), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
