package report

import (
	"fmt"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// plotLadder draws ladder.png and ladder.svg: a bar of the mean and a dot of
// each run for every rung.
func plotLadder(folder string, l Ladder) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("cannot make the plots folder: %w", err)
	}
	p := newPlot("Accuracy, rung by rung: "+shortTo(printable(l.Data), 50), "", "accuracy")
	means := make(plotter.Values, len(l.Rungs))
	ticks := make([]plot.Tick, len(l.Rungs))
	for i, r := range l.Rungs {
		if mean := r.Mean(); !math.IsNaN(mean) {
			means[i] = mean
		}
		ticks[i] = plot.Tick{Value: float64(i), Label: shortTo(printable(r.Name), 16)}
	}
	bar, err := plotter.NewBarChart(means, vg.Points(34))
	if err != nil {
		return fmt.Errorf("plot ladder: %w", err)
	}
	bar.Color, bar.LineStyle.Width = faint(palette[0]), 0
	p.Add(bar)
	for i, r := range l.Rungs {
		xs := make([]float64, len(r.Accuracies))
		for j := range xs {
			xs[j] = float64(i)
		}
		if err := dots(p, xs, r.Accuracies, palette[0], 3); err != nil {
			return err
		}
	}
	p.X.Tick.Marker, p.X.Tick.Length = plot.ConstantTicks(ticks), 0
	p.X.Min, p.X.Max = -0.6, float64(len(l.Rungs))-0.4
	p.Y.Min, p.Y.Max = 0, 1
	return savePlot(folder, "ladder", p)
}
