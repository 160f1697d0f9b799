package augment

import (
	"math/rand/v2"
	"testing"

	"github.com/wangkuiyi/orrery/internal/kernel"
)

// Each picture is seen one way in even epochs and the other way in odd ones, half of them mirrored in either.
func TestAlternatingFlip(t *testing.T) {
	p := mustList(t, List{Resize{Size: 32}, AlternatingFlip{}, Shift{Max: 2}})
	const n = 4000
	first := 0
	for i := range n {
		turns := [4]bool{}
		for epoch := range turns {
			turns[epoch] = p.Draw(42, epoch, i).Flip
		}
		if turns[0] == turns[1] || turns[0] != turns[2] || turns[1] != turns[3] {
			t.Fatalf("picture %d is mirrored in the epochs %v", i, turns)
		}
		if turns[0] {
			first++
		}
	}
	if first < n/2-130 || first > n/2+130 { // four standard deviations
		t.Errorf("%d of %d pictures are mirrored first", first, n)
	}
	other := 0
	for i := range n {
		if p.Draw(42, 0, i).Flip != p.Draw(43, 0, i).Flip {
			other++
		}
	}
	if other < n/2-130 || other > n/2+130 {
		t.Errorf("another seed mirrors %d of %d pictures otherwise", other, n)
	}
}

// A shift is what padding by reflection and a crop give, and all of them are as likely.
func TestShift(t *testing.T) {
	const size, most = 32, 2
	pic := oddPicture(rand.New(rand.NewPCG(5, 5)), size, size)
	reflected := func(i int) int {
		if i < 0 {
			return -i
		}
		return min(i, 2*(size-1)-i)
	}
	for _, pixels := range []Pixels{Exact, Fast} {
		p, err := NewFromList(List{Resize{Size: size}, AlternatingFlip{}, Shift{Max: most}}, pixels)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[[2]int]int{}
		const n = 2500
		for i := range n {
			prm := p.Draw(1, i%3, i)
			dx, dy := shiftOf(prm, size)
			seen[[2]int{dx, dy}]++
			if seen[[2]int{dx, dy}] > 3 {
				continue
			}
			got := apply(t, p, kernel.Best(), pic, prm, NHWC)
			for y := range size {
				for x := range size {
					fx := x + dx
					if prm.Flip {
						fx = size - 1 - x - dx
					}
					if fx = reflected(fx); fx < 0 {
						t.Fatal(fx)
					}
					for c := range 3 {
						want := float32(pic.Pix[4*(reflected(y+dy)*size+fx)+c]) / 255
						if d := got[3*(size*y+x)+c] - want; d > 1e-3 || d < -1e-3 {
							t.Fatalf("%v, shift (%d,%d), mirrored %v: (%d,%d) differs by %g", pixels, dx, dy, prm.Flip, x, y, d)
						}
					}
				}
			}
		}
		if len(seen) != (2*most+1)*(2*most+1) {
			t.Errorf("%v: %d shifts occur, want 25", pixels, len(seen))
		}
		for s, k := range seen {
			if k < 60 || k > 140 { // 100 and four standard deviations
				t.Errorf("%v: shift %v occurs %d times of %d", pixels, s, k, n)
			}
		}
	}
	if err := mustList(t, List{Resize{Size: size}, Shift{Max: most}}).Shoots(); err == nil {
		t.Error("exact pixels are taken from a block in one sampling")
	}
	fast, err := NewFromList(List{Resize{Size: size}, AlternatingFlip{}, Shift{Max: most}, Normalize{Mean: []float32{.5, .5, .5}, Std: []float32{.2, .2, .2}}}, Fast)
	if err != nil {
		t.Fatal(err)
	}
	if err := fast.Shoots(); err != nil {
		t.Errorf("fast pixels cannot lie on a GPU: %v", err)
	}
}

// shiftOf is a shift in pixels.
func shiftOf(prm Params, size int) (dx, dy int) {
	half := float64(size-1) / 2
	round := func(v float64) int { return int(v*half+100.5) - 100 }
	return round(prm.ShiftX), round(prm.ShiftY)
}
