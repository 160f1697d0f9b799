package data

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// The golden comes from scripts/golden/data_resize.py.
func TestResizeEqualsPillow(t *testing.T) {
	b, err := os.ReadFile("testdata/resize.json")
	if err != nil {
		t.Fatal(err)
	}
	type scaled struct {
		Width, Height int
		RGB           []byte
	}
	var golden struct {
		scaled
		Cases []scaled
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	inflate := func(b []byte) []byte {
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
		return b
	}
	src := &Picture{}
	src.reset(golden.Width, golden.Height)
	rgb := inflate(golden.RGB)
	for i := range golden.Width * golden.Height {
		put(src.Pix, 4*i, rgb[3*i], rgb[3*i+1], rgb[3*i+2])
	}
	if len(golden.Cases) < 9 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		var dst Picture
		if err := Resize(&dst, src, c.Width, c.Height); err != nil {
			t.Fatal(err)
		}
		if dst.Width != c.Width || dst.Height != c.Height {
			t.Fatalf("%v, want %dx%d", &dst, c.Width, c.Height)
		}
		want := inflate(c.RGB)
		wrong := 0
		for i := range c.Width * c.Height {
			if dst.Pix[4*i] != want[3*i] || dst.Pix[4*i+1] != want[3*i+1] || dst.Pix[4*i+2] != want[3*i+2] || dst.Pix[4*i+3] != 255 {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%dx%d: %d of %d pixels differ from Pillow's", c.Width, c.Height, wrong, c.Width*c.Height)
		}
	}
}

func TestShortSide(t *testing.T) {
	full := &Picture{}
	full.reset(301, 403)
	for i := 0; i < len(full.Pix); i += 4 {
		put(full.Pix, i, uint8(i/1204/2), uint8(i%1204/8), 90)
	}
	for _, c := range []struct{ short, w, h int }{
		{0, 301, 403}, {301, 301, 403}, {200, 200, 268}, {151, 151, 202}, {150, 150, 201}, {76, 76, 102}, {60, 60, 80}, {19, 19, 26}, {1, 1, 1},
	} {
		p, err := Decode(jpegOf(t, full), DecodeOptions{ShortSide: c.short})
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != c.w || p.Height != c.h {
			t.Errorf("ShortSide %d gives %v, want %dx%d", c.short, p, c.w, c.h)
		}
		var want Picture
		if err := Resize(&want, full, c.w, c.h); err != nil {
			t.Fatal(err)
		}
		off := 0
		for i := range p.Pix {
			off = max(off, abs(int(p.Pix[i])-int(want.Pix[i])))
		}
		if off > 24 {
			t.Errorf("ShortSide %d: a pixel is off by %d", c.short, off)
		}
	}
}

// TestQuickResize holds the 15-bit way against Pillow's arithmetic: no value is further off than one level, larger and
// smaller, and white stays white.
func TestQuickResize(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, c := range [][4]int{{384, 512, 256, 341}, {512, 384, 341, 256}, {1000, 31, 97, 31}, {40, 40, 256, 256}, {700, 500, 7, 5}, {33, 1, 16, 1}} {
		src, want, got := &Picture{}, &Picture{}, &Picture{}
		src.reset(c[0], c[1])
		for i := range src.Pix {
			src.Pix[i] = uint8(r.Uint32())
		}
		for i := 0; i < len(src.Pix)/2; i += 4 {
			src.Pix[i] = 255 // half of the picture is all red
		}
		if err := errors.Join(resize(want, src, c[2], c[3], false), resize(got, src, c[2], c[3], true)); err != nil {
			t.Fatal(err)
		}
		worst := 0
		for i := range want.Pix {
			if i%4 != 3 {
				worst = max(worst, int(want.Pix[i])-int(got.Pix[i]), int(got.Pix[i])-int(want.Pix[i]))
			}
		}
		if worst > 1 {
			t.Errorf("%v: %d levels off", c, worst)
		}
	}
}
