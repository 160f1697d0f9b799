package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A BarPlot is horizontal bars, one above the other.
type BarPlot struct {
	Title, Label string // of the plot, and of what its bars are long of
	Bars         []Bar  // from top to bottom
}

// A Bar is one of them.
type Bar struct {
	Name  string
	Value float64 // from 0 on; NaN for none
	Text  string  // at its end
	Color int     // of the house's, from 0 on
}

// Draw gives the plot as a file of the ending .png or .svg.
func (b BarPlot) Draw(ending string) ([]byte, error) {
	if len(b.Bars) == 0 {
		return nil, fmt.Errorf("%q has no bars to draw", b.Title)
	}
	p := newPlot(b.Title, b.Label, "")
	last := len(b.Bars) - 1
	ticks, most := make([]plot.Tick, len(b.Bars)), 0.0
	for i, bar := range b.Bars {
		ticks[i] = plot.Tick{Value: float64(last - i), Label: shortTo(printable(bar.Name), 60)}
		if bar.Value > most && !math.IsInf(bar.Value, 0) {
			most = bar.Value
		}
	}
	for hue, c := range palette {
		values := make(plotter.Values, len(b.Bars))
		for i, bar := range b.Bars {
			if bar.Color%len(palette) == hue && bar.Value > 0 && !math.IsInf(bar.Value, 0) {
				values[last-i] = bar.Value
			}
		}
		chart, err := plotter.NewBarChart(values, vg.Points(12))
		if err != nil {
			return nil, fmt.Errorf("plot %q: %w", b.Title, err)
		}
		chart.Horizontal, chart.Color, chart.LineStyle.Width = true, c, 0
		p.Add(chart)
	}
	if err := barTexts(p, b.Bars); err != nil {
		return nil, fmt.Errorf("plot %q: %w", b.Title, err)
	}
	p.Y.Tick.Marker, p.Y.Tick.Length = plot.ConstantTicks(ticks), 0
	p.Y.Min, p.Y.Max = -0.7, float64(last)+0.7
	p.X.Min, p.X.Max = 0, max(most*1.12, 1e-9)
	return painted(ending, 9.6, 1.5+0.27*float64(len(b.Bars)), func(c draw.Canvas) { p.Draw(margin(c)) })
}

// barTexts writes each bar's text right of its end.
func barTexts(p *plot.Plot, bars []Bar) error {
	var at plotter.XYLabels
	for i, bar := range bars {
		if bar.Value >= 0 && !math.IsInf(bar.Value, 0) && bar.Text != "" {
			at.XYs = append(at.XYs, plotter.XY{X: bar.Value, Y: float64(len(bars) - 1 - i)})
			at.Labels = append(at.Labels, " "+printable(bar.Text))
		}
	}
	if len(at.XYs) == 0 {
		return nil
	}
	labels, err := plotter.NewLabels(at)
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i] = text.Style{
			Color: inkColor, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(9)},
			XAlign: draw.XLeft, YAlign: draw.YCenter, Handler: labels.TextStyle[i].Handler,
		}
	}
	p.Add(labels)
	return nil
}
