package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/wangkuiyi/gotorch/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }

// Two steps, then 8x8 pictures of 28x28 pixels that are no plain grey.
func TestDrawsPictures(t *testing.T) {
	out := filepath.Join(t.TempDir(), "drawn.png")
	if err := run("", 2, out); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if b := picture.Bounds(); b.Dx() != 224 || b.Dy() != 224 {
		t.Errorf("the picture is %v", b)
	}
	first := picture.At(0, 0)
	for x := range 224 {
		if picture.At(x, 100) != first {
			return
		}
	}
	t.Error("the picture is of one colour")
}
