package data

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"io"
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
