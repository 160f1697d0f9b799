package report

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// plotConfusion draws a confusion matrix: actual classes from top to bottom,
// predicted from left to right, each row shaded by its fraction; in the cells
// counts, or normalised these fractions.
func plotConfusion(folder, name string, classes []string, counts [][]int, normalised bool) error {
	n := len(classes)
	title := "Confusion matrix"
	if normalised {
		title = "Confusion matrix, fraction of the actual class"
	}
	p := newPlot(title, "predicted", "actual")
	p.Add(matrix{counts, normalised})
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, float64(n), 0, float64(n)
	across, down := make([]plot.Tick, n), make([]plot.Tick, n)
	for i, class := range classes {
		label := shortTo(printable(class), 18)
		across[i] = plot.Tick{Value: float64(i) + 0.5, Label: label}
		down[i] = plot.Tick{Value: float64(n-i) - 0.5, Label: label}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(across), plot.ConstantTicks(down)
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	p.X.Tick.Label.Rotation = 0.6
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YCenter
	side := 3 + 0.55*float64(min(n, 20)) + 0.15*float64(max(0, n-20))
	return save(folder, name, side+0.6, side, func(c draw.Canvas) { p.Draw(margin(c)) })
}

// matrix is a plotter of coloured cells with the counts, or their fractions of the row, in them.
type matrix struct {
	counts     [][]int
	normalised bool
}

func (m matrix) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	n := len(m.counts)
	cell := x(1) - x(0)
	style := text.Style{
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: min(vg.Points(11), cell/3)},
		Handler: plot.DefaultTextHandler, XAlign: text.XCenter, YAlign: text.YCenter,
	}
	for i, row := range m.counts {
		total := 0
		for _, count := range row {
			total += count
		}
		for j, count := range row {
			fraction := 0.0
			if total > 0 {
				fraction = float64(count) / float64(total)
			}
			left, right := x(float64(j)), x(float64(j+1))
			bottom, top := y(float64(n-i-1)), y(float64(n-i))
			c.FillPolygon(heat(fraction), []vg.Point{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}})
			if count == 0 || cell < vg.Points(9) {
				continue
			}
			style.Color = inkColor
			if fraction > 0.5 {
				style.Color = color.White
			}
			label := fmt.Sprint(count)
			if m.normalised {
				label = fmt.Sprintf("%.2f", fraction)
			}
			c.FillText(style, vg.Point{X: (left + right) / 2, Y: (bottom + top) / 2}, label)
		}
	}
}

// heat runs from nearly white to dark blue. As on the page it leaves out the
// third quarter, on which neither dark nor white text would stand out.
func heat(fraction float64) color.RGBA {
	if fraction > 0.5 {
		fraction = 0.5 + fraction/2
	}
	from, to := color.RGBA{0xf3, 0xf6, 0xfa, 0xff}, color.RGBA{0x17, 0x4a, 0x9e, 0xff}
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (float64(b)-float64(a))*fraction + 0.5) }
	return color.RGBA{mix(from.R, to.R), mix(from.G, to.G), mix(from.B, to.B), 0xff}
}
