package testdata

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// WritePNG writes a picture to a file, making its folder as far as it is missing.
func WritePNG(t testing.TB, path string, picture image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, picture); err != nil {
		t.Fatal(err)
	}
}
