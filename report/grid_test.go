package report

import (
	"errors"
	"image"
	"image/color"
	"testing"
)

func TestGridLayout(t *testing.T) {
	red := image.NewUniform(color.RGBA{255, 0, 0, 255})
	picture := func(w, h int) image.Image {
		m := image.NewRGBA(image.Rect(5, 7, 5+w, 7+h)) // bounds need not begin at 0
		for y := 7; y < 7+h; y++ {
			for x := 5; x < 5+w; x++ {
				m.Set(x, y, red.C)
			}
		}
		return m
	}
	got := Grid([]image.Image{picture(100, 100), picture(200, 100), picture(30, 60), picture(1, 1)}, []string{"a", "a very long class name that cannot fit", "c"}, 0, 100)
	b := got.Bounds()
	if b.Dx() != 2*105+5 {
		t.Errorf("width %d, want %d: two columns of 100 and gaps of 5", b.Dx(), 215)
	}
	isRed := func(x, y int) bool {
		r, g, _, _ := got.At(x, y).RGBA()
		return r > 0xf000 && g < 0x1000
	}
	header := (b.Dy()-5)/2 - 105
	for _, c := range []struct {
		name   string
		x, y   int // of the cell
		inside [][2]int
		blank  [][2]int
	}{
		{"square fills its cell", 5, 5 + header, [][2]int{{1, 1}, {98, 98}}, nil},
		{"wide is centred", 110, 5 + header, [][2]int{{1, 50}, {98, 50}, {50, 27}, {50, 72}}, [][2]int{{50, 20}, {50, 80}}},
		{"tall is centred", 5, 110 + 2*header, [][2]int{{50, 1}, {50, 98}, {27, 50}, {72, 50}}, [][2]int{{20, 50}, {80, 50}}},
	} {
		for _, p := range c.inside {
			if !isRed(c.x+p[0], c.y+p[1]) {
				t.Errorf("%s: no picture at %v", c.name, p)
			}
		}
		for _, p := range c.blank {
			if isRed(c.x+p[0], c.y+p[1]) {
				t.Errorf("%s: picture at %v", c.name, p)
			}
		}
	}
	dark := func(x0, y0, x1, y1 int) (n int) {
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				if r, _, _, _ := got.At(x, y).RGBA(); r < 0x8000 {
					n++
				}
			}
		}
		return n
	}
	if dark(5, 5, 105, 5+header) == 0 || dark(110, 5, 210, 5+header) == 0 {
		t.Error("a title is missing")
	}
	if dark(110, 110+header, 210, 108+2*header) != 0 {
		t.Error("a picture without a title has one")
	}
}

func TestGridOfNothing(t *testing.T) {
	if b := Grid(nil, nil, 3, 64).Bounds(); b.Dx() < 64 || b.Dy() < 64 {
		t.Errorf("blank grid is %v", b)
	}
	Grid([]image.Image{image.NewRGBA(image.Rectangle{})}, nil, 1, 1) // an empty picture does no harm
}

func TestTopLossGrid(t *testing.T) {
	list := []TopLoss{{Path: "a", Predicted: "saturn", Actual: "earth", Loss: 6.5, Probability: 0.99}, {Path: "gone", Predicted: "x", Actual: "y"}}
	var asked []string
	got := TopLossGrid(list, func(path string) (image.Image, error) {
		asked = append(asked, path)
		if path == "gone" {
			return nil, errors.New("no such file")
		}
		return image.NewRGBA(image.Rect(0, 0, 10, 10)), nil
	}, 2, 100)
	if b := got.Bounds(); b.Dx() != 215 {
		t.Errorf("width %d, want 215", b.Dx())
	}
	if len(asked) != 2 || asked[0] != "a" || asked[1] != "gone" {
		t.Errorf("asked for %q", asked)
	}
	if r, g, b, _ := got.At(160, got.Bounds().Dy()-50).RGBA(); r != 0xdddd || g != r || b != r {
		t.Errorf("the missing picture is %x %x %x, want grey", r, g, b)
	}
}
