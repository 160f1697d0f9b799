package report

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// An LRFind is the outcome of the learning-rate finder, in the form of
// `orrery lr-find --json`.
type LRFind struct {
	// Suggestions by name: valley, slide, steep, minimum; a missing one or NaN could not be found.
	Suggestions map[string]float64 `json:"suggestions"`
	Points      [][2]float64       `json:"points"` // learning rate, smoothed loss; rates ascend
}

// suggestionNames in the order of the legend, valley being the default.
var suggestionNames = []string{"valley", "slide", "steep", "minimum"}

// SuggestionNames are the keys of Suggestions, in the order to show them.
func SuggestionNames() []string { return slices.Clone(suggestionNames) }

// WriteLRFind draws the loss against the learning rate, which is logarithmic,
// with the suggestions as dots on the curve: NAME.png and NAME.svg in folder.
func WriteLRFind(folder, name string, f LRFind) error {
	var points plotter.XYs
	for _, p := range f.Points {
		if p[0] > 0 && !math.IsInf(p[0], 0) && !math.IsNaN(p[1]) && !math.IsInf(p[1], 0) {
			points = append(points, plotter.XY{X: p[0], Y: p[1]})
		}
	}
	if len(points) < 2 {
		return errors.New("the learning-rate finder has fewer than two points to draw")
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("cannot make the plots folder: %w", err)
	}
	p := newPlot("Learning-rate finder", "learning rate", "smoothed loss")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, powerTicks{}
	l, err := plotter.NewLine(points)
	if err != nil {
		return fmt.Errorf("plot %s: %w", name, err)
	}
	l.Color, l.Width = palette[0], vg.Points(1.8)
	p.Add(l)
	for i, suggestion := range suggestionNames {
		rate, ok := f.Suggestions[suggestion]
		if !ok || !(rate > 0) {
			continue
		}
		dot, err := plotter.NewScatter(plotter.XYs{{X: rate, Y: at(points, rate)}})
		if err != nil {
			return fmt.Errorf("plot %s: %w", name, err)
		}
		dot.GlyphStyle = draw.GlyphStyle{Color: palette[i+1], Radius: vg.Points(4.5), Shape: draw.CircleGlyph{}}
		p.Add(dot)
		p.Legend.Add(fmt.Sprintf("%s  %.2e", suggestion, rate), dot)
	}
	p.Legend.Left = true
	p.Legend.XOffs = vg.Points(6)
	// The end, where the loss explodes, would flatten all that matters.
	low, high := points[0].Y, points[0].Y
	for _, q := range points {
		low, high = min(low, q.Y), max(high, q.Y)
	}
	high = min(high, low+2.5*(points[0].Y-low)+0.1*math.Abs(low))
	p.Y.Min, p.Y.Max = low-0.05*(high-low), high+0.05*(high-low)
	return savePlot(folder, name, p)
}

// at is the curve's height at a rate, straight between points on the logarithmic axis.
func at(points plotter.XYs, rate float64) float64 {
	i, found := slices.BinarySearchFunc(points, rate, func(p plotter.XY, x float64) int {
		switch {
		case p.X < x:
			return -1
		case p.X > x:
			return 1
		}
		return 0
	})
	if found || i == 0 {
		return points[i].Y
	}
	if i == len(points) {
		return points[i-1].Y
	}
	a, b := points[i-1], points[i]
	part := (math.Log(rate) - math.Log(a.X)) / (math.Log(b.X) - math.Log(a.X))
	return a.Y + part*(b.Y-a.Y)
}

// powerTicks marks the powers of ten.
type powerTicks struct{}

func (powerTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Ceil(math.Log10(low) - 1e-9); e <= math.Log10(high)+1e-9; e++ {
		ticks = append(ticks, plot.Tick{Value: math.Pow(10, e), Label: fmt.Sprintf("1e%g", e)})
	}
	return ticks
}
