package report

import (
	"fmt"
	"image"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// WritePlot draws one module as NAME.png and NAME.svg: color_dim above, and
// below it mean, std and the share near zero against the step.
func (a *Activations) WritePlot(folder, name string, module int) error {
	if module < 0 || module >= len(a.Modules) {
		return fmt.Errorf("no layer %d: the run has layers 0 to %d", module, len(a.Modules)-1)
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("cannot make the plots folder: %w", err)
	}
	steps := make([]float64, len(a.Steps))
	for i, s := range a.Steps {
		steps[i] = float64(s)
	}
	top := a.colorDimPlot(module, shortTo(printable(a.Modules[module]), 40)+": log of the counts", "step", "activation")
	panels := make([]*plot.Plot, 3)
	for i, panel := range []struct {
		title  string
		values []float32
		scale  float64
	}{{"Mean", a.Mean, 1}, {"Standard deviation", a.Std, 1}, {"% near zero", a.NearZero, 100}} {
		p := newPlot(panel.title, "step", "")
		all := a.Series(panel.values, module)
		kept := Thin(all, plotPoints)
		xs, ys := make([]float64, len(kept)), make([]float64, len(kept))
		for j, k := range kept {
			xs[j], ys[j] = steps[k], panel.scale*all[k]
		}
		if err := line(p, "", xs, ys, palette[i], 1.6); err != nil {
			return err
		}
		if panel.scale == 100 {
			p.Y.Min, p.Y.Max = 0, 100
		}
		panels[i] = p
	}
	return save(folder, name, 10.6, 6, func(c draw.Canvas) {
		c = margin(c)
		height, width := c.Max.Y-c.Min.Y, c.Max.X-c.Min.X
		top.Draw(draw.Crop(c, 0, 0, height*0.45+vg.Points(10), 0))
		for i, p := range panels {
			left := width * vg.Length(i) / 3
			right := width * vg.Length(2-i) / 3
			p.Draw(draw.Crop(c, left+vg.Points(6), -right-vg.Points(6), 0, -height*0.55))
		}
	})
}

// WriteOverview draws every module's color_dim into one figure.
func (a *Activations) WriteOverview(folder, name string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("cannot make the plots folder: %w", err)
	}
	columns := min(4, len(a.Modules))
	rows := (len(a.Modules) + columns - 1) / columns
	plots := make([]*plot.Plot, len(a.Modules))
	for m := range plots {
		plots[m] = a.colorDimPlot(m, fmt.Sprintf("%d  %s", m, shortTo(printable(a.Modules[m]), 24)), "", "")
		plots[m].HideAxes()
		plots[m].Title.TextStyle.Font.Size = vg.Points(10)
		plots[m].Title.Padding = vg.Points(3)
	}
	return save(folder, name, 0.3+3*float64(columns), 0.3+1.5*float64(rows), func(c draw.Canvas) {
		c = margin(c)
		height, width := c.Max.Y-c.Min.Y, c.Max.X-c.Min.X
		for m, p := range plots {
			row, column := m/columns, m%columns
			left, right := width*vg.Length(column)/vg.Length(columns), width*vg.Length(columns-1-column)/vg.Length(columns)
			above, below := height*vg.Length(row)/vg.Length(rows), height*vg.Length(rows-1-row)/vg.Length(rows)
			p.Draw(draw.Crop(c, left+vg.Points(4), -right-vg.Points(4), below+vg.Points(4), -above-vg.Points(4)))
		}
	})
}

// colorDimColumns is how many columns a drawn color_dim has at most.
const colorDimColumns = 600

func (a *Activations) colorDimPlot(module int, title, x, y string) *plot.Plot {
	p := newPlot(title, x, y)
	first, last := 0.0, 1.0
	if n := len(a.Steps); n > 0 {
		first, last = float64(a.Steps[0]), float64(a.Steps[n-1])+1
	}
	p.Add(plotter.NewImage(stretch(a.ColorDimImage(module, colorDimColumns)), first, 0, last, 10))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = first, last, 0, 10
	return p
}

// stretch repeats pixels: renderers smooth a small picture that they enlarge,
// and a bin should keep its edges.
func stretch(m *image.Paletted) *image.Paletted {
	size := m.Bounds().Size()
	x, y := int(math.Ceil(1200/float64(size.X))), 8
	big := image.NewPaletted(image.Rect(0, 0, size.X*x, size.Y*y), m.Palette)
	for j := range size.Y * y {
		for i := range size.X * x {
			big.SetColorIndex(i, j, m.ColorIndexAt(i/x, j/y))
		}
	}
	return big
}
