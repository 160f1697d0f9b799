package augment

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplainFollowsEveryTransform(t *testing.T) {
	l := List{
		Resize{Size: 92, Method: MethodPad}, RandAugment{Ops: 2, Magnitude: 9, Bins: 31}, Flip{P: 1}, Rotate{Max: 20, P: 1},
		Warp{Max: .2, P: 1}, Sample{Size: 40}, Brightness{Max: .2, P: 1}, Contrast{Max: .2, P: 1}, Hue{Max: .1, P: 1},
		Normalize{[]float32{.5, .5, .5}, []float32{.25, .25, .25}}, RandomErasing{P: 1, MinArea: .2, MaxArea: .3, MinAspect: .5, Count: 1},
	}
	p := mustList(t, l)
	pic := oddPicture(rand.New(rand.NewPCG(1, 1)), 60, 80)
	prm := p.Draw(1, 1, 1)
	stages, err := p.Explain(pic, prm, NHWC)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range stages {
		names = append(names, s.Name)
		if s.Min > s.Mean || s.Mean > s.Max || math.IsNaN(s.Mean) || s.Milliseconds < 0 {
			t.Errorf("%+v", s)
		}
	}
	want := []string{"decoded", "resize", "rand_augment", "rand_augment", "geometry", "brightness", "contrast", "hue", "normalize", "random_erasing", "one pass"}
	if d := cmp.Diff(want, names); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff([]int{80, 60, 3}, stages[0].Shape); d != "" || stages[0].Dtype != "uint8" {
		t.Errorf("decoded: %s %s", d, stages[0].Dtype)
	}
	if d := cmp.Diff([]int{40, 40, 3}, stages[10].Shape); d != "" || stages[10].Dtype != "float32" {
		t.Errorf("one pass: %s %s", d, stages[10].Dtype)
	}
	// The steps by themselves arrive where the one pass does.
	a, b := stages[9], stages[10]
	for _, v := range [][2]float64{{a.Min, b.Min}, {a.Max, b.Max}, {a.Mean, b.Mean}} {
		if math.Abs(v[0]-v[1]) > 1e-4 {
			t.Errorf("step by step %g, in one pass %g", v[0], v[1])
		}
	}
	if !strings.Contains(stages[4].What, "flipped") || !strings.Contains(stages[4].What, "area resize to 80x80") {
		t.Errorf("geometry: %q", stages[4].What)
	}
}

func TestWarnings(t *testing.T) {
	p := mustPipeline(t, ArticleConfig())
	if w := p.Warnings([]int{500, 100}, []int{500, 300}); len(w) != 1 || !strings.Contains(w[0], "1 of 2 pictures are smaller than 200x200") {
		t.Errorf("%q", w)
	}
	if w := p.Warnings([]int{500}, []int{500}); len(w) != 0 {
		t.Errorf("%q", w)
	}
	if w := mustList(t, List{Resize{Size: 20}, Sample{Size: 40}}).Warnings([]int{90}, []int{90}); len(w) != 1 || !strings.Contains(w[0], "raise the item size") {
		t.Errorf("%q", w)
	}
}
