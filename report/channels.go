package report

import (
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/draw"
	"io"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
)

// Channels are the numbers a region of a picture consists of: what a network
// gets to see.
type Channels struct {
	Path     string    `json:"path"`
	Class    string    `json:"class,omitempty"`
	Shape    [3]int    `json:"shape"` // of the whole picture: height, width, 3
	Dtype    string    `json:"dtype"`
	Rows     [2]int    `json:"rows"` // from and to, the last one not included
	Cols     [2]int    `json:"cols"`
	ColorMap string    `json:"cmap"`
	Red      [][]level `json:"red"`
	Green    [][]level `json:"green"`
	Blue     [][]level `json:"blue"`
}

// A level is 0 to 255. It is no byte, of which JSON would make text.
type level uint16

// NewChannels takes rows [rows[0], rows[1]) and columns [cols[0], cols[1]) of
// pix, R, G, B and a fourth byte for each of width x height pixels. The region
// must lie inside the picture, and cmap be one of ColorMaps.
func NewChannels(pix []uint8, width, height int, rows, cols [2]int, cmap string) Channels {
	c := Channels{Shape: [3]int{height, width, 3}, Dtype: "uint8", Rows: rows, Cols: cols, ColorMap: cmap}
	for i, plane := range []*[][]level{&c.Red, &c.Green, &c.Blue} {
		for y := rows[0]; y < rows[1]; y++ {
			var row []level
			for x := cols[0]; x < cols[1]; x++ {
				row = append(row, level(pix[4*(y*width+x)+i]))
			}
			*plane = append(*plane, row)
		}
	}
	return c
}

// A plane is one channel with its name.
type plane struct {
	Name   string
	Values [][]level
}

func (c Channels) planes() []plane {
	return []plane{{"red", c.Red}, {"green", c.Green}, {"blue", c.Blue}}
}

// Title says what is shown: the picture, its shape and the region.
func (c Channels) Title() string {
	name := printable(c.Path)
	if c.Class != "" {
		name += " (" + printable(c.Class) + ")"
	}
	return fmt.Sprintf("%s: [%d,%d,3] %s, rows %d:%d, columns %d:%d", name, c.Shape[0], c.Shape[1], c.Dtype, c.Rows[0], c.Rows[1], c.Cols[0], c.Cols[1])
}

// at is the colour of one cell of a plane.
func (c Channels) at(v level) color.RGBA { return colorMaps[c.ColorMap].At(float64(v) / 255) }

// Region is the part of the picture that the numbers are.
func (c Channels) Region() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, c.Cols[1]-c.Cols[0], c.Rows[1]-c.Rows[0]))
	for y, row := range c.Red {
		for x := range row {
			m.SetRGBA(x, y, color.RGBA{uint8(row[x]), uint8(c.Green[y][x]), uint8(c.Blue[y][x]), 255})
		}
	}
	return m
}

// cell sizes of the drawn tables, in pixels.
const (
	cellWidth, cellHeight = 34, 22
	channelsGap           = 24
)

// Image draws the three tables and, beside them, the region magnified to the
// same size: each pixel a cell.
func (c Channels) Image() image.Image {
	face := titleFace(12)
	cols, rows := c.Cols[1]-c.Cols[0], c.Rows[1]-c.Rows[0]
	w, h := (cols+1)*cellWidth, (rows+1)*cellHeight
	head := 2 * cellHeight
	canvas := image.NewRGBA(image.Rect(0, 0, 4*w+5*channelsGap, head+h+2*channelsGap))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	write := func(text string, ink color.RGBA, box image.Rectangle) {
		d := font.Drawer{Dst: canvas, Src: image.NewUniform(ink), Face: face}
		wide := d.MeasureString(text)
		d.Dot = fixed.Point26_6{X: fixed.I(box.Min.X) + (fixed.I(box.Dx())-wide)/2, Y: fixed.I(box.Max.Y - (box.Dy()-face.Metrics().CapHeight.Ceil())/2)}
		d.DrawString(text)
	}
	write(ellipsis(face, c.Title(), fixed.I(canvas.Bounds().Dx())), inkColor, image.Rect(0, channelsGap/2, canvas.Bounds().Dx(), channelsGap/2+cellHeight))
	for k, p := range append(c.planes(), plane{Name: "region"}) {
		left, top := channelsGap+k*(w+channelsGap), channelsGap+head
		cell := func(col, row int) image.Rectangle {
			return image.Rect(0, 0, cellWidth, cellHeight).Add(image.Pt(left+col*cellWidth, top+row*cellHeight))
		}
		write(p.Name, inkColor, image.Rect(left+cellWidth, top-cellHeight, left+w, top))
		for x := range cols {
			write(fmt.Sprint(c.Cols[0]+x), inkColor, cell(x+1, 0))
		}
		for y := range rows {
			write(fmt.Sprint(c.Rows[0]+y), inkColor, cell(0, y+1))
			for x := range cols {
				ground := color.RGBA{uint8(c.Red[y][x]), uint8(c.Green[y][x]), uint8(c.Blue[y][x]), 255}
				if p.Values != nil {
					ground = c.at(p.Values[y][x])
				}
				draw.Draw(canvas, cell(x+1, y+1), image.NewUniform(ground), image.Point{}, draw.Src)
				if p.Values != nil {
					write(fmt.Sprint(p.Values[y][x]), inkOn(ground), cell(x+1, y+1))
				}
			}
		}
	}
	return canvas
}

// WriteText writes the tables for a terminal, the region beside each; with
// colour, in 24-bit escape sequences, without it the numbers alone.
func (c Channels) WriteText(w io.Writer, colour bool) error {
	var out strings.Builder
	fmt.Fprintln(&out, c.Title())
	for _, p := range c.planes() {
		fmt.Fprintf(&out, "\n%s\n%5s", p.Name, "")
		for x := c.Cols[0]; x < c.Cols[1]; x++ {
			fmt.Fprintf(&out, "%5d", x)
		}
		out.WriteByte('\n')
		for y, row := range p.Values {
			fmt.Fprintf(&out, "%5d", c.Rows[0]+y)
			for _, v := range row {
				if !colour {
					fmt.Fprintf(&out, "%5d", v)
					continue
				}
				ground := c.at(v)
				ink := inkOn(ground)
				fmt.Fprintf(&out, "\x1b[48;2;%d;%d;%d;38;2;%d;%d;%dm%4d \x1b[0m", ground.R, ground.G, ground.B, ink.R, ink.G, ink.B, v)
			}
			if colour {
				out.WriteString("   ")
				for x := range row {
					fmt.Fprintf(&out, "\x1b[48;2;%d;%d;%dm  \x1b[0m", c.Red[y][x], c.Green[y][x], c.Blue[y][x])
				}
			}
			out.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// WriteHTML writes a page of its own with the tables as tables and the region.
func (c Channels) WriteHTML(w io.Writer) error {
	type cell struct {
		Text  string
		Style template.CSS
	}
	type row struct {
		Number int
		Cells  []cell
	}
	type table struct {
		Name string
		Cols []int
		Rows []row
	}
	var tables []table
	for _, p := range append(c.planes(), plane{Name: "region"}) {
		t := table{Name: p.Name}
		for x := c.Cols[0]; x < c.Cols[1]; x++ {
			t.Cols = append(t.Cols, x)
		}
		for y := range c.Red {
			r := row{Number: c.Rows[0] + y}
			for x := range c.Red[y] {
				ground, text := color.RGBA{uint8(c.Red[y][x]), uint8(c.Green[y][x]), uint8(c.Blue[y][x]), 255}, ""
				if p.Values != nil {
					ground, text = c.at(p.Values[y][x]), fmt.Sprint(p.Values[y][x])
				}
				ink := inkOn(ground)
				// Numbers only, so that it is safe as it stands.
				r.Cells = append(r.Cells, cell{text, template.CSS(fmt.Sprintf("background:rgb(%d,%d,%d);color:rgb(%d,%d,%d)", ground.R, ground.G, ground.B, ink.R, ink.G, ink.B))})
			}
			t.Rows = append(t.Rows, r)
		}
		tables = append(tables, t)
	}
	return channelsPage.Execute(w, map[string]any{"Title": c.Title(), "Tables": tables})
}

var channelsPage = template.Must(template.New("channels").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1c242e; background: #fff }
main { display: flex; flex-wrap: wrap; gap: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem }
th { font-weight: 400; color: #556474; padding: 0 .3rem; text-align: right }
td { min-width: 2.1rem; height: 1.5rem; text-align: center; padding: 0 }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<main>{{range .Tables}}
<table><caption>{{.Name}}</caption>
<thead><tr><th></th>{{range .Cols}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}<tr><th scope="row">{{.Number}}</th>{{range .Cells}}<td style="{{.Style}}">{{.Text}}</td>{{end}}</tr>
{{end}}</tbody></table>{{end}}
</main>
</body>
</html>
`))
