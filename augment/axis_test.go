package augment

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// TestAxisIsWhatValidationDoes holds the two products with Axis against the pipeline itself, where
// fastai resizes by area first, where it does not, and for single pixels.
func TestAxisIsWhatValidationDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		item, size int
		area       bool
	}{{46, 20, true}, {19, 16, false}, {16, 16, false}, {9, 1, false}, {1, 1, false}} {
		p, err := NewFromList(List{Resize{Size: c.item}, Sample{Size: c.size}}, Exact)
		if err != nil {
			t.Fatal(err)
		}
		area := p.AreaStep([]Params{Neutral()})
		if area != c.area {
			t.Errorf("%d to %d: by area %v, want %v", c.item, c.size, area, c.area)
		}
		pic := &data.Picture{Width: c.item, Height: c.item, Pix: make([]uint8, 4*c.item*c.item, 4*c.item*c.item+kernel.Pad)}
		for i := range pic.Pix {
			pic.Pix[i] = uint8(r.IntN(256))
		}
		w, err := p.NewWorker()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		got := make([]float32, p.Elements())
		if err := w.Apply(got, pic, Neutral(), area, NHWC); err != nil {
			t.Fatal(err)
		}
		axis, most := p.Axis(), 0.0
		for y := range c.size {
			for x := range c.size {
				for channel := range 3 {
					want := 0.0
					for i, a := range axis[y] {
						for j, b := range axis[x] {
							want += float64(a) * float64(b) * float64(pic.Pix[4*(i*c.item+j)+channel]) / 255
						}
					}
					most = max(most, math.Abs(want-float64(got[3*(y*c.size+x)+channel])))
				}
			}
		}
		if most > 2e-4 { // the kernel's 14-bit weights
			t.Errorf("%d to %d: differs by %.2g", c.item, c.size, most)
		}
	}
}
