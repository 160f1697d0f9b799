package report

import (
	"math"
	"strconv"
)

// A Chart is what page/charts.js draws.
type Chart struct {
	ID     string   `json:"id"` // of the page's element
	X      Numbers  `json:"x"`  // ascending
	XLabel string   `json:"xLabel"`
	Whole  bool     `json:"whole,omitempty"` // x counts something: label whole numbers only
	Small  bool     `json:"small,omitempty"` // a low chart, one of many
	Series []Series `json:"series"`
	Min    *float64 `json:"min,omitempty"` // fixed ends of the y axis
	Max    *float64 `json:"max,omitempty"`
}

// A Series is a line of a Chart.
type Series struct {
	Label  string  `json:"label"`
	Values Numbers `json:"values"` // one for each x; NaN where there is none
	Color  int     `json:"color"`  // 1..6
	Style  string  `json:"style"`  // "line", "faint", "dash", "points"
}

// Numbers are JSON numbers; NaN and infinities, which JSON lacks, become null.
type Numbers []float64

// MarshalJSON writes six significant digits, which no screen can tell from more.
func (n Numbers) MarshalJSON() ([]byte, error) {
	text := make([]byte, 0, 8*len(n)+2)
	text = append(text, '[')
	for i, v := range n {
		if i > 0 {
			text = append(text, ',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			text = append(text, "null"...)
			continue
		}
		if v == math.Trunc(v) && math.Abs(v) < 1e15 { // steps stay exact
			text = strconv.AppendInt(text, int64(v), 10)
			continue
		}
		text = strconv.AppendFloat(text, v, 'g', 6, 64)
	}
	return append(text, ']'), nil
}

// nextColor cycles through the six colours of the pages.
func nextColor(i int) int { return i%len(palette) + 1 }
