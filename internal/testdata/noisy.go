package testdata

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// Noisy is a picture of noise in which one channel is brighter: 0 red, 1 green, 2 blue.
func Noisy(r *rand.Rand, width, height, bright int) *image.NRGBA {
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for p := range width * height {
		c := [3]uint8{uint8(r.IntN(120)), uint8(r.IntN(120)), uint8(r.IntN(120))}
		c[bright] += 110
		picture.SetNRGBA(p%width, p/width, color.NRGBA{c[0], c[1], c[2], 255})
	}
	return picture
}

// NoisySet writes so many noisy pictures of each class to a folder of its name in dir, as 000.png and so on. The first
// class is blue, the second green, the third red, and so on.
func NoisySet(t testing.TB, dir string, r *rand.Rand, width, height, each int, classes ...string) {
	t.Helper()
	for class, name := range classes {
		for i := range each {
			WritePNG(t, filepath.Join(dir, name, fmt.Sprintf("%03d.png", i)), Noisy(r, width, height, 2-class%3))
		}
	}
}
