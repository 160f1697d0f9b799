package augment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// oddPicture is a picture of the size with noise.
func oddPicture(r *rand.Rand, w, h int) *data.Picture {
	p := newPicture(w, h)
	for i := range p.Pix {
		p.Pix[i] = uint8(r.Uint32())
	}
	return p
}

// apply makes one sample with a guard behind it.
func apply(t *testing.T, p *Pipeline, form kernel.Form, pic *data.Picture, prm Params, layout Layout) []float32 {
	t.Helper()
	w, err := p.newWorker(form)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	const guard = 12345
	out := make([]float32, p.Elements()+16)
	for i := range out {
		out[i] = guard
	}
	if err := w.Apply(out[:p.Elements():p.Elements()], pic, prm, p.AreaStep([]Params{prm}), layout); err != nil {
		t.Fatal(err)
	}
	for i, v := range out {
		if inside := i < p.Elements(); inside == (v == guard) || math.IsNaN(float64(v)) {
			t.Fatalf("value %d of %d is %g", i, p.Elements(), v)
		}
	}
	return out[:p.Elements()]
}

// toNCHW reorders a [size, size, 3] sample.
func toNCHW(v []float32, size int) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i%3*size*size+i/3] = v[i]
	}
	return out
}

func worstDifference(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
	}
	return worst
}

// TestEveryWidth compares each form with the scalar one, and both layouts, at every width from 1 to 70.
func TestEveryWidth(t *testing.T) {
	if kernel.Best() == kernel.Scalar {
		t.Log("no AVX2 here: only the layouts are compared")
	}
	r := rand.New(rand.NewPCG(7, 7))
	for size := 1; size <= 70; size++ {
		for _, pixels := range []Pixels{Exact, Fast} {
			c := ArticleConfig()
			c.Size, c.ItemSize, c.Pixels = size, 1+r.IntN(3*size+3), pixels
			c.MaxWarp, c.MaxRotate, c.MaxLighting = 0.4, 180, []float64{0.5, 0.2}[size%2]
			if size%3 == 0 {
				c.Mean, c.Std = []float32{0.5, 0.4, 0.3}, []float32{0.2, 0.3, 0.4}
			}
			p := mustPipeline(t, c)
			pic := oddPicture(r, 1+r.IntN(90), 1+r.IntN(90))
			prm := p.Draw(1, 0, size)
			name := fmt.Sprintf("size %d, item %d, %v, picture %v", size, c.ItemSize, pixels, pic)
			a := apply(t, p, kernel.Scalar, pic, prm, NHWC)
			limit := 1.0 / 255
			if len(c.Std) > 0 {
				limit /= 0.2
			}
			for form := kernel.Scalar; form <= kernel.Best(); form++ {
				b := apply(t, p, form, pic, prm, NHWC)
				d := apply(t, p, form, pic, prm, NCHW)
				if worst := worstDifference(toNCHW(b, size), d); worst != 0 {
					t.Errorf("%s: NHWC and NCHW differ by %g in %v", name, worst, form)
				}
				if worst := worstDifference(a, b); worst > limit {
					t.Errorf("%s: scalar and %v differ by %g", name, form, worst)
				}
			}
			if len(c.Std) == 0 {
				for i, v := range a {
					if v < 0 || v > 1 {
						t.Errorf("%s: value %d is %g", name, i, v)
						break
					}
				}
			}
		}
	}
}

// TestFormsAgreeClosely bounds the mean difference far below the 1/255 of a single value.
func TestFormsAgreeClosely(t *testing.T) {
	if kernel.Best() == kernel.Scalar {
		t.Skip("no AVX2 on this machine")
	}
	r := rand.New(rand.NewPCG(8, 8))
	for _, pixels := range []Pixels{Exact, Fast} {
		c := ArticleConfig()
		c.Pixels = pixels
		p := mustPipeline(t, c)
		pic := oddPicture(r, 384, 512)
		for i := range 4 {
			prm := p.Draw(2, 1, i)
			a := apply(t, p, kernel.Scalar, pic, prm, NHWC)
			for form := kernel.AVX2; form <= kernel.Best(); form++ {
				b := apply(t, p, form, pic, prm, NHWC)
				var sum float64
				for i := range a {
					sum += math.Abs(float64(a[i] - b[i]))
				}
				if mean := sum / float64(len(a)); mean > 1e-4 {
					t.Errorf("%v: scalar and %v differ by %g on average", pixels, form, mean)
				}
			}
		}
	}
}

// TestNeutralIsTheCentre checks the identity: with no area step and Size = ItemSize the sample is the
// centre crop itself.
func TestNeutralIsTheCentre(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, pixels := range []Pixels{Exact, Fast} {
		c := ArticleConfig()
		c.ItemSize, c.Size, c.Pixels = 40, 40, pixels
		p := mustPipeline(t, c)
		pic := oddPicture(r, 40, 57)
		got := apply(t, p, kernel.Best(), pic, Neutral(), NHWC)
		for y := range 40 {
			for x := range 40 {
				for ch := range 3 {
					want := float64(pic.Pix[4*((y+8)*40+x)+ch]) / 255
					if d := math.Abs(float64(got[3*(40*y+x)+ch]) - want); d > 1e-4 {
						t.Fatalf("%v: pixel (%d,%d) is %g, want %g", pixels, x, y, got[3*(40*y+x)+ch], want)
					}
				}
			}
		}
	}
}

// TestFastIsNearExact holds the fast form to the geometry of the exact one: on smooth pictures, small
// and large, they differ little.
func TestFastIsNearExact(t *testing.T) {
	for _, size := range [][2]int{{384, 512}, {60, 71}, {1500, 1300}} {
		w, h := size[0], size[1]
		pic := newPicture(w, h)
		for y := range h {
			for x := range w {
				at := 4 * (y*w + x)
				u, v := float64(x)/float64(w), float64(y)/float64(h)
				pic.Pix[at] = uint8(128 + 100*math.Sin(17*u))
				pic.Pix[at+1] = uint8(128 + 100*math.Sin(16*v))
				pic.Pix[at+2] = uint8(128 + 100*math.Sin(13*(u+v)))
			}
		}
		c := ArticleConfig()
		exact := mustPipeline(t, c)
		c.Pixels = Fast
		fast := mustPipeline(t, c)
		for i := range 6 {
			prm := exact.Draw(5, 0, i)
			a, b := apply(t, exact, kernel.Best(), pic, prm, NHWC), apply(t, fast, kernel.Best(), pic, prm, NHWC)
			var sum float64
			for k := range a {
				sum += float64(a[k]-b[k]) * float64(a[k]-b[k])
			}
			db := -10 * math.Log10(sum/float64(len(a)))
			t.Logf("%dx%d, sample %d: %.1f dB", w, h, i, db)
			if db < 47 {
				t.Errorf("%dx%d, sample %d: fast is %.1f dB from exact on a smooth picture, want 47", w, h, i, db)
			}
		}
	}
}

// TestWhiteStaysWhite: no shrinking makes the sums of rounded weights overflow or lose light.
func TestWhiteStaysWhite(t *testing.T) {
	for _, side := range []int{20, 46, 47, 100, 333, 700, 799, 800, 1000, 2400} {
		pic := &data.Picture{Width: side, Height: side, Pix: make([]uint8, 4*side*side, 4*side*side+kernel.Pad)}
		for i := range pic.Pix {
			pic.Pix[i] = 255
		}
		c := DefaultConfig(23, 10)
		c.MaxLighting = 0
		p := mustPipeline(t, c)
		for form := kernel.Scalar; form <= kernel.Best(); form++ {
			for i, v := range apply(t, p, form, pic, Neutral(), NHWC) {
				if v > 1 || v < 0.999 {
					t.Fatalf("%dx%d, %v: white became %v at %d", side, side, form, v, i)
				}
			}
		}
	}
}
