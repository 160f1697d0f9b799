package kernel

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// noise makes a plane whose rows have `more` bytes behind them.
func noise(r *rand.Rand, width, height, more int) Plane {
	pitch := width + more
	p := Plane{make([]uint8, pitch*height, pitch*height+Pad), width, height, pitch, float64(width) - float64(more%2)/2, float64(height)}
	for i := range p.Pix {
		p.Pix[i] = uint8(min(r.IntN(300), 255)) // often white, to reach the end
	}
	return p
}

// TestPlanesInEveryForm holds every form to the scalar one's bytes, at sizes around a vector and a strip, larger and
// smaller, and looks that nothing is written beyond the picture.
func TestPlanesInEveryForm(t *testing.T) {
	if Best() == Scalar {
		t.Skip("this machine has one form only")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		w, h := 1+r.IntN(70), 1+r.IntN(70)
		cw, ch := (w+n%2)/(1+n%2), (h+n%3/2)/(1+n%3/2)
		width, height := 1+r.IntN(60), 1+r.IntN(60)
		planes := [3]Plane{noise(r, w, h, n%4), noise(r, cw, ch, 1), noise(r, cw, ch, 1+2*(n%3))}
		var want []uint8
		for form := Scalar; form <= Best(); form++ {
			worker, err := NewWorker(form)
			if err != nil {
				t.Fatal(err)
			}
			out := bytes.Repeat([]uint8{7}, 4*width*height+64)
			err = worker.ScalePlanes(planes, width, height, out[:4*width*height])
			worker.Close()
			if err != nil && !errors.Is(err, ErrPlanes) {
				t.Fatal(err)
			}
			if form == Scalar {
				want = out
			}
			if !bytes.Equal(out, want) {
				t.Errorf("%dx%d and %dx%d to %dx%d: %v differs from scalar", w, h, cw, ch, width, height, form)
			}
			if !bytes.Equal(out[4*width*height:], bytes.Repeat([]uint8{7}, 64)) {
				t.Errorf("%v writes behind a picture of %dx%d", form, width, height)
			}
		}
	}
}

// TestPlanesRefused asks for what cannot be done.
func TestPlanesRefused(t *testing.T) {
	worker, err := NewWorker(Best())
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	r := rand.New(rand.NewPCG(3, 4))
	small, out := noise(r, 8, 8, 0), make([]uint8, 4*64)
	for name, planes := range map[string][3]Plane{
		"without room":           {{small.Pix[:60:60], 8, 8, 8, 8, 8}, small, small},
		"chroma of two sizes":    {small, small, noise(r, 4, 4, 0)},
		"a pitch below the rows": {small, {small.Pix, 8, 8, 7, 8, 8}, small},
		"a span of no samples":   {{small.Pix, 8, 8, 8, 8, 0}, small, small},
	} {
		if err := worker.ScalePlanes(planes, 8, 8, out); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := worker.ScalePlanes([3]Plane{small, small, small}, 9, 8, out); err == nil {
		t.Error("a result larger than its room: no error")
	}
	large := noise(r, 320, 320, 0)
	if err := worker.ScalePlanes([3]Plane{large, small, small}, 8, 8, out); !errors.Is(err, ErrPlanes) {
		t.Errorf("320 pixels to 8: %v", err)
	}
}
