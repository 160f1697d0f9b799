package report

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// plotPoints is how many points of a long series the PNG and SVG files show.
const plotPoints = 2000

// WritePlots draws what the run has into its plots/ folder, each as PNG and
// SVG: loss, accuracy, schedule, reliability, activations, confusion. It returns the names it wrote,
// without endings; what has no data is left out.
func (r *Run) WritePlots() ([]string, error) {
	folder := filepath.Join(r.Dir, "plots")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("cannot make the plots folder: %w", err)
	}
	var written []string
	for _, figure := range []struct {
		name string
		have bool
		draw func(folder, name string) error
	}{
		{"loss", len(r.Steps) > 0 || len(r.History) > 0, r.plotLoss},
		{"accuracy", len(r.History) > 0, r.plotAccuracy},
		{"schedule", len(r.Steps) > 0, r.plotSchedule},
		{"reliability", r.Interpretation != nil && r.Interpretation.ECE != nil, func(folder, name string) error { return r.Interpretation.plotReliability(folder, name) }},
		{"activations", r.Activations != nil, func(folder, name string) error { return r.Activations.WriteOverview(folder, name) }},
		{"confusion", r.Evaluation != nil && len(r.Evaluation.Confusion) > 0, func(folder, name string) error {
			return plotConfusion(folder, name, r.Evaluation.Classes, r.Evaluation.Confusion, false)
		}},
		{"confusion-normalised", r.Evaluation != nil && len(r.Evaluation.Confusion) > 0, func(folder, name string) error {
			return plotConfusion(folder, name, r.Evaluation.Classes, r.Evaluation.Confusion, true)
		}},
	} {
		if !figure.have {
			continue
		}
		if err := figure.draw(folder, figure.name); err != nil {
			return written, err
		}
		written = append(written, figure.name)
	}
	return written, nil
}

func (r *Run) plotLoss(folder, name string) error {
	l := r.lossSeries(plotPoints)
	p := newPlot("Loss", l.axis, "cross entropy")
	for _, part := range []struct {
		name  string
		ys    []float64
		color int
		faint bool
	}{{"each batch", l.raw, 0, true}, {"train, smoothed", l.smoothed, 0, false}} {
		c, width := palette[part.color], 1.8
		if part.faint {
			c, width = faint(c), 0.8
		}
		if err := line(p, part.name, l.x, part.ys, c, width); err != nil {
			return err
		}
	}
	if err := line(p, "validation", l.validX, l.validY, palette[1], 1.8); err != nil {
		return err
	}
	if err := dots(p, l.validX, l.validY, palette[1], 3); err != nil {
		return err
	}
	return savePlot(folder, name, p)
}

func (r *Run) plotAccuracy(folder, name string) error {
	p := newPlot("Accuracy on the validation split", "epoch", "accuracy")
	xs, ys := make([]float64, len(r.History)), make([]float64, len(r.History))
	for i, e := range r.History {
		xs[i], ys[i] = float64(e.Epoch), e.Accuracy
	}
	if err := line(p, "", xs, ys, palette[2], 1.8); err != nil {
		return err
	}
	if err := dots(p, xs, ys, palette[2], 3.5); err != nil {
		return err
	}
	p.Y.Min, p.Y.Max = 0, 1
	p.X.Tick.Marker = wholeTicks{}
	if p.X.Min == p.X.Max {
		p.X.Min, p.X.Max = p.X.Min-0.5, p.X.Max+0.5
	}
	return savePlot(folder, name, p)
}

// plotSchedule is fastai's plot_sched: two panels, rate and momentum against the step.
func (r *Run) plotSchedule(folder, name string) error {
	s := r.scheduleSeries(plotPoints)
	rate, momentum := newPlot("Learning rate", "step", ""), newPlot("Momentum", "step", "")
	if err := line(rate, "", s.x, s.rate, palette[0], 1.8); err != nil {
		return err
	}
	if err := line(momentum, "", s.x, s.momentum, palette[3], 1.8); err != nil {
		return err
	}
	return save(folder, name, 9.6, 3.8, func(c draw.Canvas) {
		c = margin(c)
		half := c.Max.X.Points() / 2
		rate.Draw(draw.Crop(c, 0, -vg.Points(half+8), 0, 0))
		momentum.Draw(draw.Crop(c, vg.Points(half+8), 0, 0, 0))
	})
}

func savePlot(folder, name string, p *plot.Plot) error {
	return save(folder, name, 7.2, 4.4, func(c draw.Canvas) { p.Draw(margin(c)) })
}

// wholeTicks marks whole numbers, at most about ten.
type wholeTicks struct{}

func (wholeTicks) Ticks(low, high float64) []plot.Tick {
	every := math.Max(1, math.Ceil((high-low)/10))
	var ticks []plot.Tick
	for i := range 20 { // counted, since far from zero a step may be too small to move v
		v := math.Ceil(low/every)*every + float64(i)*every
		if v > high {
			break
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v)})
	}
	return ticks
}
