package data

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// pictures returns the files of testdata/pictures.json with the pixels Pillow
// reads from them; scripts/golden/data_pictures.py makes it.
type picture struct {
	File          []byte
	Width, Height int
	RGB           []byte
}

func pictures(t testing.TB) map[string]picture {
	t.Helper()
	b, err := os.ReadFile("testdata/pictures.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Files map[string]picture }
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	for name, p := range golden.Files {
		z, err := zlib.NewReader(bytes.NewReader(p.RGB))
		if err != nil {
			t.Fatal(err)
		}
		if p.RGB, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
		golden.Files[name] = p
	}
	return golden.Files
}

func TestDecodeEqualsPillow(t *testing.T) {
	files := pictures(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		want := files[name]
		t.Run(name, func(t *testing.T) {
			p, err := Decode(want.File, DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Width != want.Width || p.Height != want.Height {
				t.Fatalf("%v, want %dx%d", p, want.Width, want.Height)
			}
			if len(p.Pix) != 4*p.Width*p.Height || cap(p.Pix) < len(p.Pix)+Padding {
				t.Errorf("%d bytes with room for %d", len(p.Pix), cap(p.Pix))
			}
			worst, at := 0, 0
			for i := range p.Width * p.Height {
				for c := range 3 {
					if d := abs(int(p.Pix[4*i+c]) - int(want.RGB[3*i+c])); d > worst {
						worst, at = d, i
					}
				}
				if p.Pix[4*i+3] != 255 {
					t.Fatalf("X of pixel %d is %d", i, p.Pix[4*i+3])
				}
			}
			if worst > 0 {
				t.Errorf("pixel %d is %v, Pillow's %v", at, p.Pix[4*at:4*at+3], want.RGB[3*at:3*at+3])
			}
		})
	}
}

func abs(v int) int { return max(v, -v) }

func TestIgnoreOrientation(t *testing.T) {
	f := pictures(t)["jpeg-exif-6"]
	p, err := Decode(f.File, DecodeOptions{IgnoreOrientation: true})
	if err != nil {
		t.Fatal(err)
	}
	if p.Width != f.Height || p.Height != f.Width {
		t.Errorf("as stored it is %v", p)
	}
}

// Every proper beginning of a file is an error that says so or names damage,
// for the formats that can tell.
func TestTruncatedFiles(t *testing.T) {
	for name, f := range pictures(t) {
		if strings.HasSuffix(name, "-animated") || strings.Contains(name, "tiff") || strings.Contains(name, "1x1") || name == "webp-animated-lossless" {
			continue // the first frame, or the last byte that matters, comes earlier
		}
		for n := range len(f.File) - 1 {
			if n > 64 && n%7 != 0 && n < len(f.File)-64 {
				continue
			}
			_, err := Decode(f.File[:n], DecodeOptions{})
			if err == nil && !tailOnly(name, len(f.File)-n) {
				t.Errorf("%s cut to %d of %d bytes is accepted", name, n, len(f.File))
				break
			}
		}
	}
}

// A TIFF has its header anywhere, so that a stump may be a picture; it must
// only never end the program. Every byte is damaged in turn, too.
func TestDamagedTIFFs(t *testing.T) {
	refused := 0
	for name, f := range pictures(t) {
		if !strings.HasPrefix(name, "tiff") {
			continue
		}
		for n := range len(f.File) {
			if n > 200 && n < len(f.File)-300 && n%11 != 0 {
				continue
			}
			if _, err := Decode(f.File[:n], DecodeOptions{}); err != nil {
				refused++
			}
			for _, v := range []byte{0, 0x7f, 0xff} {
				b := bytes.Clone(f.File)
				b[n] = v
				if _, err := Decode(b, DecodeOptions{MaxPixels: 1 << 20}); err != nil {
					refused++
				}
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d damaged files were refused", refused)
	}
}

// tailOnly tells whether the last n bytes of the named file are no pixels:
// trailers, or metadata behind the picture.
func tailOnly(name string, n int) bool {
	switch {
	case strings.HasPrefix(name, "gif"):
		return n <= 2
	case strings.HasPrefix(name, "png"):
		return n <= 12
	case strings.HasPrefix(name, "bmp"):
		return n <= 4
	case name == "webp-exif-6":
		return n <= 40
	case strings.HasPrefix(name, "webp"):
		return n <= 2
	}
	return false
}

func TestRefused(t *testing.T) {
	good := pictures(t)["jpeg-420"].File
	cmyk := pictures(t)["jpeg-cmyk"].File
	sof := bytes.Index(good, []byte{0xff, 0xc0})
	change := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	sos := bytes.Index(good, []byte{0xff, 0xda})
	mid := (sos + len(good)) / 2
	gif := append([]byte("GIF89a\xff\xff\xff\xff\x80\x00\x00"), make([]byte, 21)...)
	png := bytes.Clone(pictures(t)["png-rgb"].File)
	copy(png[16:], "\x00\x03\x00\x00\x00\x04\x00\x00") // 196608x262144
	small := append([]byte("GIF89a\x00\x20\x00\x20\x80\x00\x00"), make([]byte, 21)...)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":         {nil, "empty"},
		"zeros":           {make([]byte, 4096), "nothing but zero bytes"},
		"html":            {[]byte("<!DOCTYPE html><html><body>404</body></html>"), "HTML"},
		"text":            {[]byte("not found\n"), "text"},
		"lfs":             {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), "Git LFS"},
		"huge gif":        {gif, "65535x65535"},
		"hollow gif":      {small, "8192x8192 pixels in a file of 34 bytes"},
		"hollow bmp":      {change(pictures(t)["bmp"].File, 18, 0, 0x30, 0, 0, 0, 0x30, 0, 0), "12288x12288 pixels in a file"},
		"os/2 bmp":        {change(pictures(t)["bmp"].File, 14, 12, 0, 0, 0), "OS/2 BMP"},
		"huge png":        {png, "196608x262144"},
		"12-bit jpeg":     {change(good, sof+4, 12), "12-bit JPEG"},
		"lossless jpeg":   {change(good, sof+1, 0xc3), "lossless JPEG"},
		"two components":  {change(good, sof+9, 2), "2 colour components"},
		"no height":       {change(good, sof+5, 0, 0), "nothing to see"},
		"cut in the scan": {good[:mid], "truncated"},
		"marker in scan":  {change(good, mid, 0xff, 0xd9, 0xff, 0xd9), "damaged JPEG"},
		"cmyk cut":        {cmyk[:len(cmyk)-20], "truncated"},
		"heic":            {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), "HEIC"},
		"avif":            {[]byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif"), "AVIF"},
		"svg":             {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "SVG"},
	} {
		_, err := Decode(c.file, DecodeOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// Bytes thrown into the scan are found, where most decoders say nothing.
func TestJunkInMidScan(t *testing.T) {
	good := pictures(t)["jpeg-444"].File
	sos := bytes.Index(good, []byte{0xff, 0xda})
	junk := []byte("\x12\x34junk\x56\x78 in the scan, as a broken disk leaves it")
	accepted := 0
	for at := sos + 20; at < len(good)-60; at += 5 {
		b := slices.Concat(good[:at], junk, good[at:])
		if _, err := Decode(b, DecodeOptions{}); err == nil {
			accepted++
			t.Logf("junk at %d of %d was not seen", at, len(good))
		}
	}
	if accepted > 0 {
		t.Errorf("%d damaged files were accepted", accepted)
	}
}

func TestPaddedScanIsFine(t *testing.T) {
	f := pictures(t)["jpeg-420"]
	b := slices.Concat(f.File[:len(f.File)-2], []byte{0, 0, 0}, f.File[len(f.File)-2:], []byte("after the end"))
	p, err := Decode(b, DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Pix[0] != f.RGB[0] {
		t.Errorf("first byte %d, want %d", p.Pix[0], f.RGB[0])
	}
	b = slices.Concat(f.File[:len(f.File)-2], []byte{1, 2, 3}, f.File[len(f.File)-2:])
	if _, err := Decode(b, DecodeOptions{}); err == nil {
		t.Error("bytes other than zeros behind the scan are accepted")
	}
}

// A picture claimed to be huge costs nothing but its refusal.
func TestBombsCostNothing(t *testing.T) {
	gif := append([]byte("GIF89a\xff\xff\xff\xff\x80\x00\x00"), make([]byte, 21)...)
	allocs := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(gif, DecodeOptions{}); err == nil {
				b.Fatal("accepted")
			}
		}
	}).AllocedBytesPerOp()
	if allocs > 64<<10 {
		t.Errorf("refusing a 65535x65535 GIF takes %d bytes", allocs)
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range pictures(f) {
		f.Add(p.File)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o := DecodeOptions{MaxPixels: 1 << 18}
		p, err := Decode(b, o)
		if err != nil {
			if err.Error() == "" || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error %q", err)
			}
			return
		}
		if p.Width*p.Height > o.MaxPixels || len(p.Pix) != 4*p.Width*p.Height {
			t.Errorf("%v with %d bytes", p, len(p.Pix))
		}
	})
}

func FuzzReadHeader(f *testing.F) {
	for _, p := range pictures(f) {
		f.Add(p.File)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(bytes.NewReader(b), int64(len(b)), 0)
		if err == nil && (h.Width <= 0 || h.Height <= 0 || h.Width*h.Height > DefaultMaxPixels || h.Orientation < 1 || h.Orientation > 8) {
			t.Errorf("header %+v", h)
		}
	})
}

// jpegOf encodes p with Go's encoder.
func jpegOf(t testing.TB, p *Picture) []byte {
	t.Helper()
	var b bytes.Buffer
	m := &image.NRGBA{Pix: p.Pix, Stride: 4 * p.Width, Rect: image.Rect(0, 0, p.Width, p.Height)}
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
