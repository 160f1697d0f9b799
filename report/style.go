package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/wangkuiyi/orrery/report/internal/whole"
)

// The colours of the plots' lines, the same as the pages' in light mode.
// Told apart by people with any kind of colour vision, and dark enough on white.
var palette = []color.RGBA{
	{0x1f, 0x5f, 0xc4, 0xff}, {0xc8, 0x55, 0x0b, 0xff}, {0x0b, 0x7d, 0x5e, 0xff},
	{0x8a, 0x3f, 0xc2, 0xff}, {0xb8, 0x2b, 0x5b, 0xff}, {0x55, 0x64, 0x74, 0xff},
}

// faint is a colour mixed with three parts of white.
func faint(c color.RGBA) color.RGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 3*255) / 4) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 0xff}
}

var (
	inkColor  = color.RGBA{0x1c, 0x24, 0x2e, 0xff}
	gridColor = color.RGBA{0xe3, 0xe7, 0xec, 0xff}
)

// newPlot is an empty plot in the house style: sans-serif, light grid, no box.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	sans := func(size float64) font.Font {
		return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font = sans(13)
	p.Title.TextStyle.Color = inkColor
	p.Title.Padding = vg.Points(8)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(10)
		axis.Label.TextStyle.Color = inkColor
		axis.Tick.Label.Font = sans(9)
		axis.Tick.Label.Color = inkColor
		axis.Color = gridColor
		axis.Tick.Color = gridColor
		axis.Tick.Marker = roundTicks{}
		axis.Padding = vg.Points(2)
	}
	p.Legend.TextStyle.Font = sans(10)
	p.Legend.TextStyle.Color = inkColor
	p.Legend.Top = true
	p.Legend.Padding = vg.Points(3)
	p.Legend.ThumbnailWidth = vg.Points(18)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	p.Add(grid)
	return p
}

// roundTicks marks about six round values of an axis, and no lesser ones.
type roundTicks struct{}

func (roundTicks) Ticks(low, high float64) []plot.Tick {
	if !(high > low) || math.IsInf(high-low, 0) {
		return []plot.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 4, 64)}}
	}
	every := roundStep((high - low) / 6)
	var ticks []plot.Tick
	// Counted, since far from zero a step may be too small to move v.
	first := math.Ceil(low/every - 1e-9)
	for i := range 20 {
		v := (first+float64(i))*every + 0 // minus zero plus zero is zero
		if v > high+every*1e-9 {
			break
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 4, 64)})
	}
	return ticks
}

// roundStep is the smallest of 1, 2, 2.5, 5 times a power of ten not below v > 0.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*power >= v*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// line adds one series; points whose y is NaN or infinite break it.
func line(p *plot.Plot, name string, xs, ys []float64, c color.RGBA, width float64) error {
	named := false
	for _, part := range pieces(finiteParts(xs, ys)) {
		l, err := plotter.NewLine(part)
		if err != nil {
			return fmt.Errorf("plot line %q: %w", name, err)
		}
		l.Color, l.Width = c, vg.Points(width)
		p.Add(l)
		if !named && name != "" {
			p.Legend.Add(name, l)
			named = true
		}
	}
	return nil
}

// pieces cuts lines into short ones that share their ends: the rasteriser
// takes quadratic time for a long zigzag in one stroke.
func pieces(parts []plotter.XYs) []plotter.XYs {
	const length = 64
	var short []plotter.XYs
	for _, part := range parts {
		for len(part) > length {
			short = append(short, part[:length])
			part = part[length-1:]
		}
		short = append(short, part)
	}
	return short
}

// dots adds the points of a short series.
func dots(p *plot.Plot, xs, ys []float64, c color.RGBA, radius float64) error {
	for _, part := range finiteParts(xs, ys) {
		s, err := plotter.NewScatter(part)
		if err != nil {
			return fmt.Errorf("plot points: %w", err)
		}
		s.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(radius), Shape: draw.CircleGlyph{}}
		p.Add(s)
	}
	return nil
}

func finiteParts(xs, ys []float64) []plotter.XYs {
	var parts []plotter.XYs
	open := false
	for i := range min(len(xs), len(ys)) {
		if math.IsNaN(ys[i]) || math.IsInf(ys[i], 0) {
			open = false
			continue
		}
		if !open {
			parts = append(parts, nil)
			open = true
		}
		last := len(parts) - 1
		parts[last] = append(parts[last], plotter.XY{X: xs[i], Y: ys[i]})
	}
	return parts
}

// A canvas that can be written out: PNG or SVG.
type canvas interface {
	vg.CanvasSizer
	io.WriterTo
}

// dotsPerInch of the PNG files: sharp on a dense screen, and in print.
const dotsPerInch = 160

// save draws a figure of width x height inches as NAME.png and NAME.svg.
func save(folder, name string, width, height float64, paint func(c draw.Canvas)) error {
	for _, ending := range []string{".png", ".svg"} {
		file, err := painted(ending, width, height, paint)
		if err != nil {
			return err
		}
		err = whole.Write(filepath.Join(folder, name+ending), func(out io.Writer) error {
			_, err := out.Write(file)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// painted is a figure of width x height inches as the content of a file with that ending, .png or .svg.
func painted(ending string, width, height float64, paint func(c draw.Canvas)) ([]byte, error) {
	w, h := vg.Length(width)*vg.Inch, vg.Length(height)*vg.Inch
	var on canvas
	switch ending {
	case ".png":
		on = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(dotsPerInch), vgimg.UseBackgroundColor(color.White))}
	case ".svg":
		on = vgsvg.New(w, h)
	default:
		return nil, fmt.Errorf("a plot's file ends in .png or .svg, not in %q", ending)
	}
	paint(draw.New(on))
	var file bytes.Buffer
	_, err := on.WriteTo(&file)
	return file.Bytes(), err
}

// margin leaves white space around a plot's drawing.
func margin(c draw.Canvas) draw.Canvas {
	edge := vg.Points(10)
	return draw.Crop(c, edge, -edge, edge, -edge)
}
