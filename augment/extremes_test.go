package augment

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/wangkuiyi/orrery/internal/kernel"
)

// TestExtremeShapes runs pictures of one pixel, of one line and far from square through every way to
// size them; the guards of apply and `make asan` see what is written where it must not be.
func TestExtremeShapes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, s := range [][2]int{{1, 1}, {1, 300}, {300, 1}, {2, 2}, {3, 700}, {900, 3}} {
		pic := oddPicture(r, s[0], s[1])
		for _, sizes := range []List{
			{Resize{Size: 46}}, {Resize{Size: 1}}, {Resize{Size: 100}}, {Resize{Size: 46, Method: MethodPad}},
			{Resize{Size: 46, Method: MethodSquish}}, {CenterCrop{Size: 30}}, {CenterCrop{Size: 30, Pad: PadReflection}},
			{RandomResizedCrop{Size: 33, MinScale: 0.08, MaxScale: 1, MinRatio: 3. / 4, MaxRatio: 4. / 3}},
			{Resize{Size: 46, Method: MethodSquish}, CenterCrop{Size: 60, Pad: PadBorder}},
		} {
			for _, pixels := range []Pixels{Exact, Fast} {
				for _, out := range []int{1, 9} {
					l := append(sizes[:len(sizes):len(sizes)], Flip{1}, Rotate{180, 1}, Zoom{0.5, 3, 1}, Warp{0.9, 1}, Sample{out}, Brightness{.9, 1}, Contrast{.9, 1})
					p, err := NewFromList(l, pixels)
					if err != nil {
						t.Fatal(err)
					}
					prm := p.Draw(1, 0, 0)
					for form := kernel.Scalar; form <= kernel.Best(); form++ {
						for i, v := range apply(t, p, form, pic, prm, NHWC) {
							if !(v >= 0 && v <= 1) {
								t.Fatalf("%s: value %d is %g", fmt.Sprint(s, l, pixels), i, v)
							}
						}
					}
				}
			}
		}
	}
}

// TestHomographyBeyondTheHorizon draws warps so strong that the denominator changes its sign inside
// the picture: nothing sensible comes out, but nothing unreadable either.
func TestHomographyBeyondTheHorizon(t *testing.T) {
	pic := oddPicture(rand.New(rand.NewPCG(4, 4)), 50, 60)
	for _, pixels := range []Pixels{Exact, Fast} {
		c := smallConfig()
		c.Pixels = pixels
		p := mustPipeline(t, c)
		for _, w := range [][2]float64{{0.99, 0.99}, {-0.99, 0.5}, {0.9999999, -0.9999999}, {1, 1}, {1, 0}, {5, -3}} {
			prm := Neutral()
			prm.WarpX, prm.WarpY, prm.Zoom, prm.Rotate = w[0], w[1], 0.1, 45
			for form := kernel.Scalar; form <= kernel.Best(); form++ {
				for i, v := range apply(t, p, form, pic, prm, NCHW) {
					if !(v >= 0 && v <= 1) {
						t.Fatalf("warp %v: value %d is %g", w, i, v)
					}
				}
			}
		}
	}
}

// TestPaddingALine keeps the memory of a padded square bounded.
func TestPaddingALine(t *testing.T) {
	p := mustList(t, List{Resize{Size: 20, Method: MethodPad}})
	w := mustWorker(t, p)
	pic := oddPicture(rand.New(rand.NewPCG(5, 5)), 30000, 2)
	out := make([]float32, p.Elements())
	if err := w.Apply(out, pic, Neutral(), false, NHWC); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, p := range w.own {
		total += cap(p.Pix)
	}
	if total > 4*(maxPadded+2*8*20*8*20) {
		t.Errorf("%d MB of scratch memory for a line of 30000 pixels", total>>20)
	}
}
