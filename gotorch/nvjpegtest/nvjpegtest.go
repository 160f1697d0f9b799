// Package nvjpegtest makes a library that stands in for NVIDIA's nvJPEG in tests on a machine without a GPU.
package nvjpegtest

import (
	"bytes"
	_ "embed"
	"image"
	"image/color"
	"image/jpeg"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed testdata/nvjpeg.c
var source string

// Faults of a stand-in, as names for the C compiler.
const (
	NoGPU     = "NO_GPU"     // it finds no GPU
	NoBatches = "NO_BATCHES" // it lacks nvjpegDecodeBatched
)

// StandIn builds a stand-in with faults, for $GOTORCH_NVJPEG. It skips a test where there
// is no C compiler or TurboJPEG.
func StandIn(t testing.TB, faults ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "libnvjpeg.so")
	args := []string{"-shared", "-fPIC", "-O1", "-o", path, "-x", "c", "-"}
	for _, fault := range faults {
		args = append(args, "-D"+fault)
	}
	cc := exec.Command("cc", append(args, "-lturbojpeg")...)
	cc.Stdin = strings.NewReader(source)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Skipf("the stand-in for nvJPEG cannot be built: %v\n%s", err, out)
	}
	return path
}

// Marked tells whether a picture's first pixel, R, G, B, ..., is the one that a stand-in leaves.
func Marked(pixels []byte) bool { return bytes.HasPrefix(pixels, []byte{1, 2, 3}) }

// JPEG makes a file of a picture of bands in colour, or in grey.
func JPEG(t testing.TB, width, height, seed int, grey bool) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(8 * (x/8 + seed)), uint8(8 * (y / 8)), uint8(40 * seed), 255})
		}
	}
	var picture image.Image = m
	if grey {
		g := image.NewGray(m.Rect)
		copy(g.Pix, m.Pix)
		picture = g
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Refused is a JPEG file with the comment by which a stand-in knows that it cannot decode it.
func Refused(file []byte) []byte {
	return append([]byte("\xff\xd8\xff\xfe\x00\x09REFUSED"), file[2:]...)
}
