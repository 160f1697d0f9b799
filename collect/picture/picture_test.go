package picture

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/disintegration/imaging"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"pgregory.net/rapid"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

func encode(t testing.TB, p image.Image, quality int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, p, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func mini(t testing.TB, data []byte) *Mini {
	t.Helper()
	p, err := Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMini(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func alike(a, b *Mini) bool { return a.Hash().Distance(b.Hash()) <= NearDistance && Near(a, b) }

func TestFormats(t *testing.T) {
	p := collecttest.Pixels("a", 40, 30)
	for format, write := range map[string]func(*bytes.Buffer) error{
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, p, nil) },
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, p) },
		"gif":  func(b *bytes.Buffer) error { return gif.Encode(b, p, nil) },
		"bmp":  func(b *bytes.Buffer) error { return bmp.Encode(b, p) },
		"tiff": func(b *bytes.Buffer) error { return tiff.Encode(b, p, nil) },
	} {
		var data bytes.Buffer
		if err := write(&data); err != nil {
			t.Fatal(err)
		}
		header, err := ReadHeader(bytes.NewReader(data.Bytes()), 0)
		if err != nil || header.Format != format || header.Width != 40 || header.Height != 30 || header.Extension() == "" {
			t.Errorf("%s: %+v, %v", format, header, err)
		}
		decoded, err := Decode(bytes.NewReader(data.Bytes()))
		if err != nil || decoded.Bounds().Dx() != 40 {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestTooManyPixels(t *testing.T) {
	giant := []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02D\x01\x00;")
	var huge bytes.Buffer // a PNG header of 50 gigapixels
	huge.WriteString("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x03\xd0\x90\x00\x03\x0d\x40\x08\x02\x00\x00\x00")
	huge.WriteString("\x00\x00\x00\x00")
	before := allocated()
	for _, data := range [][]byte{giant, huge.Bytes()} {
		if _, err := ReadHeader(bytes.NewReader(data), 0); err == nil {
			t.Errorf("%d bytes that claim to be huge are accepted", len(data))
		}
	}
	if _, err := ReadHeader(bytes.NewReader(giant), 0); !errors.Is(err, ErrTooManyPixels) {
		t.Errorf("the GIF: %v, want too many pixels", err)
	}
	if grown := allocated() - before; grown > 1<<20 {
		t.Errorf("refusing took %d bytes of memory", grown)
	}
	if _, err := ReadHeader(bytes.NewReader(encode(t, collecttest.Pixels("a", 40, 30), 80)), 1000); !errors.Is(err, ErrTooManyPixels) {
		t.Errorf("limit of 1000 pixels: %v", err)
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// FuzzRead reads damaged pictures of every format; an error is fine, a panic or a hang is not.
func FuzzRead(f *testing.F) {
	p := collecttest.Pixels("a", 12, 8)
	var data bytes.Buffer
	for _, write := range []func() error{
		func() error { return jpeg.Encode(&data, p, nil) }, func() error { return png.Encode(&data, p) },
		func() error { return gif.Encode(&data, p, nil) }, func() error { return bmp.Encode(&data, p) },
		func() error { return tiff.Encode(&data, p, nil) },
	} {
		data.Reset()
		if err := write(); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(data.Bytes()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ReadHeader(bytes.NewReader(data), 1<<20); err != nil {
			return
		}
		p, err := Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		if _, err := NewMini(p); err != nil {
			return
		}
		if _, _, err := Shrink(p, 5); err != nil {
			return
		}
		_, _ = Sharpness(p)
	})
}

func TestHashSurvives(t *testing.T) {
	p := collecttest.Pixels("a", 400, 300)
	original := mini(t, encode(t, p, 90))
	for name, changed := range map[string][]byte{
		"half":       encode(t, imaging.Resize(p, 200, 0, imaging.Lanczos), 85),
		"compressed": encode(t, p, 30),
		"stretched":  encode(t, imaging.Resize(p, 380, 300, imaging.Linear), 85),
	} {
		if m := mini(t, changed); !alike(original, m) {
			t.Errorf("%s: %d bits, %.2f levels away", name, original.Hash().Distance(m.Hash()), original.Difference(m))
		}
	}
	for name, changed := range map[string]image.Image{"mirrored": imaging.FlipH(p), "turned": imaging.Rotate180(p), "cut": imaging.CropCenter(p, 300, 225),
		"grey": imaging.Grayscale(p)} {
		if m := mini(t, encode(t, changed, 85)); alike(original, m) {
			t.Errorf("%s: taken for the same", name)
		}
	}
}

func TestPlainColours(t *testing.T) {
	plain := func(c color.Color) *Mini {
		m, err := NewMini(imaging.New(50, 50, c))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	red, redder, blue := plain(color.NRGBA{200, 30, 30, 255}), plain(color.NRGBA{201, 30, 30, 255}), plain(color.NRGBA{30, 30, 200, 255})
	if !alike(red, redder) || alike(red, blue) {
		t.Error("two reds are alike, red and blue are not")
	}
}

func TestHashText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hash := Hash{rapid.Uint64().Draw(t, "across"), rapid.Uint64().Draw(t, "down")}
		if back, err := ParseHash(hash.String()); err != nil || back != hash {
			t.Fatalf("%s came back as %v, %v", hash, back, err)
		}
	})
	for _, text := range []string{"", "12", strings.Repeat("g", 32), strings.Repeat("0", 34)} {
		if _, err := ParseHash(text); err == nil {
			t.Errorf("%q is taken for a hash", text)
		}
	}
}

func TestSharpness(t *testing.T) {
	p := collecttest.Pixels("a", 400, 300)
	last := 1e9
	for _, blur := range []float64{0, 1, 3, 8} {
		blurred := image.Image(p)
		if blur > 0 {
			blurred = imaging.Blur(p, blur)
		}
		sharpness, err := Sharpness(blurred)
		if err != nil || sharpness >= last {
			t.Errorf("blur %g: sharpness %.2f, %v, want less than %.2f", blur, sharpness, err, last)
		}
		last = sharpness
	}
}

func TestOrientation(t *testing.T) {
	p := imaging.New(40, 20, color.White)
	data := encode(t, p, 90)
	exif := []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	turned, err := Decode(bytes.NewReader(append(append(bytes.Clone(data[:2]), exif...), data[2:]...)))
	if err != nil || turned.Bounds().Dx() != 20 {
		t.Errorf("orientation 6 gave %v, %v, want 20 x 40", turned.Bounds(), err)
	}
}

// TestAlikeOnPhotos makes near duplicates of real photos and finds them all, and none between different photos of waste.
func TestAlikeOnPhotos(t *testing.T) {
	root := testdata.Photos(t, "trashnet")
	var names []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var minis []*Mini
	missed, made := 0, 0
	for i := 0; i < len(names); i += max(1, len(names)/44) {
		data, err := os.ReadFile(names[i])
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(bytes.NewReader(data))
		if err != nil {
			continue
		}
		original := mini(t, data)
		minis = append(minis, original)
		for _, changed := range [][]byte{encode(t, imaging.Resize(p, p.Bounds().Dx()/2, 0, imaging.Lanczos), 85), encode(t, imaging.Resize(p, 200, 0, imaging.Linear), 85),
			encode(t, p, 40)} {
			made++
			if !alike(original, mini(t, changed)) {
				missed++
			}
		}
	}
	wrong := 0
	for i := range minis {
		for j := range i {
			if alike(minis[i], minis[j]) {
				wrong++
			}
		}
	}
	t.Logf("%d photos: %d of %d near duplicates missed, %d different pairs taken for the same", len(minis), missed, made, wrong)
	if len(minis) < 40 || missed*100 > made*2 || wrong > 0 {
		t.Errorf("want at most 2 of 100 missed and no different photos taken for the same")
	}
}

func BenchmarkNewMini(b *testing.B) {
	p, err := Decode(bytes.NewReader(encode(b, collecttest.Pixels("a", 460, 345), 85)))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := NewMini(p); err != nil {
			b.Fatal(err)
		}
	}
}
