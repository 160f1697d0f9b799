package augment

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// TestDrawsAreFastaisDistributions checks ranges, probabilities and means over many samples.
func TestDrawsAreFastaisDistributions(t *testing.T) {
	l := ArticleConfig().List()
	l = append(l, Saturation{Max: 0.3, P: 0.5}, Hue{Max: 0.1, P: 0.25}, Grayscale{P: 0.1}, Blur{Kernel: 3, MinSigma: 1, MaxSigma: 2, P: 0.4})
	p := mustList(t, l)
	const n = 20000
	all := make([]Params, n)
	for i := range all {
		all[i] = p.Draw(11, 3, i)
	}
	for _, c := range []struct {
		name            string
		value           func(Params) float64
		neutral, share  float64 // share of samples that are not neutral
		low, high, mean float64 // of those
	}{
		{"crop x", func(p Params) float64 { return p.CropX }, -1, 1, 0, 1, 0.5},
		{"crop y", func(p Params) float64 { return p.CropY }, -1, 1, 0, 1, 0.5},
		{"flip", func(p Params) float64 { return truth(p.Flip) }, 0, 0.5, 1, 1, 1},
		{"rotate", func(p Params) float64 { return p.Rotate }, 0, 0.75, -20, 20, 0},
		{"zoom", func(p Params) float64 { return p.Zoom }, 1, 0.75, 1, 1.2, 1.1},
		{"centre x", func(p Params) float64 { return p.CenterX }, -1, 1, 0, 1, 0.5},
		{"warp x", func(p Params) float64 { return p.WarpX }, 0, 0.75, -0.2, 0.2, 0},
		{"warp y", func(p Params) float64 { return p.WarpY }, 0, 0.75, -0.2, 0.2, 0},
		{"brightness", func(p Params) float64 { return p.Brightness }, 0.5, 0.75, 0.4, 0.6, 0.5},
		{"log contrast", func(p Params) float64 { return math.Log(p.Contrast) }, 0, 0.75, math.Log(0.8), -math.Log(0.8), 0},
		{"log saturation", func(p Params) float64 { return math.Log(p.Saturation) }, 0, 0.5, math.Log(0.7), -math.Log(0.7), 0},
		{"hue", func(p Params) float64 { return p.Hue }, 0, 0.25, 0.9, 1 / 0.9, (1/0.9 - 0.9) / (2 * -math.Log(0.9))},
		{"gray", func(p Params) float64 { return truth(p.Gray) }, 0, 0.1, 1, 1, 1},
		{"sigma", func(p Params) float64 { return p.Sigma }, 0, 0.4, 1, 2, 1.5},
	} {
		count, sum, low, high := 0, 0.0, math.Inf(1), math.Inf(-1)
		for _, q := range all {
			if v := c.value(q); v != c.neutral {
				count++
				sum += v
				low, high = min(low, v), max(high, v)
			}
		}
		share, mean, width := float64(count)/n, sum/float64(count), c.high-c.low
		const slack = 1e-9
		if math.Abs(share-c.share) > 0.02 || low < c.low-slack || high > c.high+slack || math.Abs(mean-c.mean) > 0.02*width+slack ||
			low > c.low+0.01*width+slack || high < c.high-0.01*width-slack {
			t.Errorf("%s: share %.3f, from %.4f to %.4f, mean %.4f; want %.2f, %.4f, %.4f, %.4f", c.name, share, low, high, mean, c.share, c.low, c.high, c.mean)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestDrawDependsOnItsArgumentsOnly(t *testing.T) {
	p := mustPipeline(t, ArticleConfig())
	a := p.Draw(1, 2, 3)
	if d := cmp.Diff(a, p.Draw(1, 2, 3)); d != "" {
		t.Error(d)
	}
	for _, b := range []Params{p.Draw(2, 2, 3), p.Draw(1, 3, 3), p.Draw(1, 2, 4), p.Draw(-1, 2, 3)} {
		if cmp.Equal(a, b) {
			t.Errorf("two samples drew the same: %+v", a)
		}
	}
}

func TestAugmentationsDrawEveryOperation(t *testing.T) {
	for _, tr := range []Transform{RandAugment{Ops: 2, Magnitude: 9, Bins: 31}, TrivialAugment{Bins: 31}} {
		p := mustList(t, List{Resize{Size: 32}, tr})
		seen, signs, ops := map[string]int{}, map[bool]int{}, 0
		for i := range 4000 {
			for _, op := range p.Draw(1, 0, i).Ops {
				seen[op.Name]++
				ops++
				if op.Name == "Rotate" {
					signs[op.Magnitude > 0]++
					if limit := map[string]float64{"rand_augment": 9, "trivial_augment": 135}[tr.Name()]; math.Abs(op.Magnitude) > limit+1e-9 {
						t.Errorf("%s rotates by %g", tr.Name(), op.Magnitude)
					}
				}
			}
		}
		if want := map[string]int{"rand_augment": 8000, "trivial_augment": 4000}[tr.Name()]; ops != want {
			t.Errorf("%s: %d operations, want %d", tr.Name(), ops, want)
		}
		for _, s := range trivialSpace(31) {
			if share := float64(seen[s.name]) / float64(ops); math.Abs(share-1./14) > 0.015 {
				t.Errorf("%s: share of %s is %.3f, want 1/14", tr.Name(), s.name, share)
			}
		}
		if signs[true] == 0 || signs[false] == 0 {
			t.Errorf("%s rotates one way only", tr.Name())
		}
		pic := newNoise(1).pics[0]
		src := append([]uint8(nil), pic.Pix...)
		changed := false
		for i := range 40 {
			prm := p.Draw(1, 0, i)
			out := apply(t, p, kernel.Best(), pic, prm, NHWC)
			plain := prm
			plain.Ops = nil
			changed = changed || !cmp.Equal(out, apply(t, p, kernel.Best(), pic, plain, NHWC))
		}
		if !changed || !cmp.Equal(src, pic.Pix) {
			t.Errorf("%s: changed the sample %v, left the source alone %v", tr.Name(), changed, cmp.Equal(src, pic.Pix))
		}
	}
}
