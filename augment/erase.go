package augment

import (
	"image"
	"math"
	"math/rand/v2"
)

// rectangles draws what to erase from a square of side n: fastai's RandomErasing.
func (t RandomErasing) rectangles(d chooser, n int) []image.Rectangle {
	count := d.integer(1, t.Count)
	area := float64(n*n) / float64(count)
	var out []image.Rectangle
	slice := func(area float64) (from, to int) {
		bound := int(math.RoundToEven(math.Sqrt(area)))
		from = d.integer(0, max(n-bound, 0))
		return from, from + bound
	}
	for range count {
		a := d.uniform(t.MinArea, t.MaxArea) * area
		aspect := math.Exp(d.uniform(math.Log(t.MinAspect), math.Log(1/t.MinAspect)))
		y0, y1 := slice(a * aspect)
		x0, x1 := slice(a / aspect)
		out = append(out, image.Rect(x0, y0, x1, y1).Intersect(image.Rect(0, 0, n, n)))
	}
	return out
}

// eraseAll fills the rectangles of the planes with N(0, 1) noise.
func eraseAll(planes []float32, size int, prm Params) {
	if len(prm.Erase) == 0 {
		return
	}
	r := rand.New(rand.NewPCG(prm.Seed, 1))
	for _, e := range prm.Erase {
		for c := range 3 {
			for y := e.Min.Y; y < e.Max.Y; y++ {
				row := planes[(c*size+y)*size:]
				for x := e.Min.X; x < e.Max.X; x++ {
					row[x] = float32(r.NormFloat64())
				}
			}
		}
	}
}
