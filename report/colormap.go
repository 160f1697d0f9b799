package report

import (
	"image/color"
	"maps"
	"math"
	"slices"
)

// A ColorMap turns values in [0, 1] into colours: for each of red, green and
// blue, the points (value, share) of a line, from 0 to 1.
type ColorMap [3][][2]float64

// The points are those of matplotlib's maps of the same names; Reds, Greens and
// Blues go from white straight to the plain colour instead.
var colorMaps = map[string]ColorMap{
	"gist_heat": {{{0, 0}, {2. / 3, 1}, {1, 1}}, {{0, 0}, {0.5, 0}, {1, 1}}, {{0, 0}, {0.75, 0}, {1, 1}}},
	"hot":       {{{0, 0.0416}, {0.365079, 1}, {1, 1}}, {{0, 0}, {0.365079, 0}, {0.746032, 1}, {1, 1}}, {{0, 0}, {0.746032, 0}, {1, 1}}},
	"bone": {
		{{0, 0}, {0.746032, 0.652778}, {1, 1}}, {{0, 0}, {0.365079, 0.319444}, {0.746032, 0.777778}, {1, 1}},
		{{0, 0}, {0.365079, 0.444444}, {1, 1}},
	},
	"jet": {
		{{0, 0}, {0.35, 0}, {0.66, 1}, {0.89, 1}, {1, 0.5}}, {{0, 0}, {0.125, 0}, {0.375, 1}, {0.64, 1}, {0.91, 0}, {1, 0}},
		{{0, 0.5}, {0.11, 1}, {0.34, 1}, {0.65, 0}, {1, 0}},
	},
	"cool":   {{{0, 0}, {1, 1}}, {{0, 1}, {1, 0}}, {{0, 1}, {1, 1}}},
	"gray":   {{{0, 0}, {1, 1}}, {{0, 0}, {1, 1}}, {{0, 0}, {1, 1}}},
	"gray_r": {{{0, 1}, {1, 0}}, {{0, 1}, {1, 0}}, {{0, 1}, {1, 0}}},
	"Reds":   {{{0, 1}, {1, 1}}, {{0, 1}, {1, 0}}, {{0, 1}, {1, 0}}},
	"Greens": {{{0, 1}, {1, 0}}, {{0, 1}, {1, 1}}, {{0, 1}, {1, 0}}},
	"Blues":  {{{0, 1}, {1, 0}}, {{0, 1}, {1, 0}}, {{0, 1}, {1, 1}}},
}

// ColorMaps lists the names that FindColorMap knows.
func ColorMaps() []string { return slices.Sorted(maps.Keys(colorMaps)) }

// FindColorMap gives the map of a name of ColorMaps.
func FindColorMap(name string) (m ColorMap, ok bool) {
	m, ok = colorMaps[name]
	return m, ok
}

// At is the colour of v; values beyond 0 and 1 are clamped.
func (m ColorMap) At(v float64) color.RGBA {
	v = min(max(v, 0), 1)
	var c [3]uint8
	for i, points := range m {
		at := 1
		for at < len(points)-1 && points[at][0] < v {
			at++
		}
		a, b := points[at-1], points[at]
		c[i] = uint8(math.Round(255 * (a[1] + (v-a[0])/(b[0]-a[0])*(b[1]-a[1]))))
	}
	return color.RGBA{c[0], c[1], c[2], 255}
}

// inkOn is black or white, whichever is easier to read on c.
func inkOn(c color.RGBA) color.RGBA {
	if 299*int(c.R)+587*int(c.G)+114*int(c.B) > 140*1000 {
		return color.RGBA{0, 0, 0, 255}
	}
	return color.RGBA{255, 255, 255, 255}
}
