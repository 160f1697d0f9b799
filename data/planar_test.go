package data

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestPlanarIsClose scales every JPEG of the goldens by its planes and holds that against Pillow's pixels, scaled: it
// may be no further from them than the way over whole pixels, plus a quarter. The pictures have small spots of pure
// colour, for which fewer samples of colour is what counts most.
func TestPlanarIsClose(t *testing.T) {
	files, planar := pictures(t), 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		golden := files[name]
		whole := &Picture{}
		whole.reset(golden.Width, golden.Height)
		for i := range golden.Width * golden.Height {
			put(whole.Pix, 4*i, golden.RGB[3*i], golden.RGB[3*i+1], golden.RGB[3*i+2])
		}
		for _, short := range []int{21, 16, 13, 7} {
			if min(golden.Width, golden.Height) <= short {
				continue
			}
			o := DecodeOptions{ShortSide: short, Quick: true}
			h, err := ReadHeader(bytes.NewReader(golden.File), int64(len(golden.File)), 0)
			if err != nil {
				t.Fatal(err)
			}
			got, other := &Picture{}, &Picture{}
			done, err := decodePlanar(got, golden.File, h, o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			hasPlanes := strings.HasPrefix(name, "jpeg-") && !strings.Contains(name, "grey") && !strings.Contains(name, "cmyk") &&
				!strings.Contains(name, "ycck") && !strings.Contains(name, "rgb")
			if done != hasPlanes {
				t.Errorf("%s: planes %v", name, done)
			}
			if !done {
				continue
			}
			planar++
			if err := scaledTo(other, short, func(p *Picture) error { return decodeAs(p, golden.File, h, o) }); err != nil {
				t.Fatal(err)
			}
			want, err := whole.Scaled(short)
			if err != nil {
				t.Fatal(err)
			}
			a, b := meanDifference(t, got, want), meanDifference(t, other, want)
			t.Logf("%-24s short side %2d: %.2f levels from Pillow's, over whole pixels %.2f", name, short, a, b)
			if a > 1.25*b {
				t.Errorf("%s, short side %d: %.2f levels from Pillow's pixels, over whole pixels %.2f", name, short, a, b)
			}
		}
	}
	if planar < 20 {
		t.Errorf("%d pictures by their planes", planar)
	}
}

// meanDifference is the mean of |a-b| over R, G and B; X must be 255.
func meanDifference(t *testing.T, a, b *Picture) float64 {
	t.Helper()
	if a.Width != b.Width || a.Height != b.Height {
		t.Fatalf("%v and %v", a, b)
	}
	sum := 0
	for i := range a.Pix {
		if i%4 == 3 && a.Pix[i] != 255 {
			t.Fatalf("X of pixel %d is %d", i/4, a.Pix[i])
		}
		sum += abs(int(a.Pix[i]) - int(b.Pix[i]))
	}
	return float64(sum) / float64(3*a.Width*a.Height)
}
