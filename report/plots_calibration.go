package report

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// plotReliability draws the accuracy of each confidence bin against the
// bin's confidence; a calibrated network's bars end on the diagonal.
func (i *Interpretation) plotReliability(folder, name string) error {
	p := newPlot(fmt.Sprintf("Calibration: ECE %.3f", *i.ECE), "confidence", "accuracy")
	p.Add(binBars(i.Calibration))
	if err := line(p, "", []float64{0, 1}, []float64{0, 1}, palette[5], 1); err != nil {
		return err
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	return save(folder, name, 4.8, 4.6, func(c draw.Canvas) { p.Draw(margin(c)) })
}

// binBars draws calibration bins, darker the more pictures they hold.
type binBars []Bin

func (b binBars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	most := 1
	for _, bin := range b {
		most = max(most, bin.Count)
	}
	for _, bin := range b {
		if bin.Count == 0 {
			continue
		}
		gap := vg.Points(0.5)
		left, right, top := x(bin.Low)+gap, x(bin.High)-gap, y(bin.Accuracy)
		c.FillPolygon(heat(0.25+0.75*float64(bin.Count)/float64(most)), []vg.Point{{X: left, Y: y(0)}, {X: right, Y: y(0)}, {X: right, Y: top}, {X: left, Y: top}})
	}
}
