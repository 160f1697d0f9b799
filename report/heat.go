package report

import (
	"image"
	"image/color"
	"math"
)

// HeatOverlay lays a map of side x side values in [0, 1], row by row, over a
// picture of that size: 0 leaves the picture as it is, though a little darker, 1
// covers three quarters of it with the brightest colour.
func HeatOverlay(picture image.Image, heat []float32) image.Image {
	bounds := picture.Bounds()
	width := bounds.Dx()
	out := image.NewNRGBA(image.Rect(0, 0, width, bounds.Dy()))
	if len(heat) != width*bounds.Dy() {
		return picture
	}
	for i, h := range heat {
		h := min(max(float64(h), 0), 1)
		x, y := i%width, i/width
		r, g, b, _ := picture.At(bounds.Min.X+x, bounds.Min.Y+y).RGBA()
		tone := heatScale[int(math.Round(255*h))].(color.RGBA)
		cover := 0.25 + 0.5*h
		mix := func(under uint32, over uint8) uint8 {
			return uint8((1-cover)*float64(under>>8) + cover*float64(over) + 0.5)
		}
		out.SetNRGBA(x, y, color.NRGBA{R: mix(r, tone.R), G: mix(g, tone.G), B: mix(b, tone.B), A: 255})
	}
	return out
}
