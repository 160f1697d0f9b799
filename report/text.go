package report

import (
	"fmt"
	"math"
	"strings"
)

// TextOptions say how Text draws.
type TextOptions struct {
	Width int  // columns of the terminal; at least 40
	Rows  int  // rows of each chart; at least 4
	Color bool // ANSI colours
}

// Text draws the run for a terminal: what it is, its loss and accuracy as
// curves of braille dots, the last epochs, and the last log lines. Names are
// stripped of control characters, so they cannot steer the terminal.
func (r *Run) Text(o TextOptions) string {
	o.Width, o.Rows = max(o.Width, 40), max(o.Rows, 4)
	var b strings.Builder
	put := func(format string, args ...any) {
		b.WriteString(shortTo(printable(fmt.Sprintf(format, args...)), o.Width) + "\n")
	}
	put("%s", r.Name)
	if lead := r.Lead(); lead != "" {
		put("%s", lead)
	}
	var numbers []string
	for _, t := range r.Tiles() {
		numbers = append(numbers, strings.TrimSpace(t.Name+" "+t.Value+" "+t.Small))
	}
	if len(numbers) > 0 {
		put("%s", strings.Join(numbers, "  "))
	}
	if l := r.lossSeries(4 * o.Width); len(l.x) > 1 {
		b.WriteString("\n")
		b.WriteString(textChart(o, "loss: train, o valid", l.axis, curve{xs: l.x, ys: l.smoothed}, curve{xs: l.validX, ys: l.validY}))
	}
	if len(r.History) > 1 {
		var accuracy curve
		for _, e := range r.History {
			accuracy.xs, accuracy.ys = append(accuracy.xs, float64(e.Epoch)), append(accuracy.ys, e.Accuracy)
		}
		b.WriteString("\n")
		b.WriteString(textChart(o, "accuracy", "epoch", accuracy, curve{}))
	}
	if rows := EpochRows(r.History); len(rows) > 0 {
		b.WriteString("\n")
		put("%5s  %10s  %10s  %8s  %8s", "epoch", "train_loss", "valid_loss", "accuracy", "time")
		for _, e := range rows[max(0, len(rows)-6):] {
			put("%5d  %10s  %10s  %8s  %8s", e.Epoch, e.TrainLoss, e.ValidLoss, e.Accuracy, e.Time)
		}
	}
	if len(r.Log) > 0 {
		b.WriteString("\n")
		for _, l := range r.Log[max(0, len(r.Log)-4):] {
			put("%s %s %s", l.Level, l.Message, l.Rest)
		}
	}
	return b.String()
}

// textChart draws one line, and points of a second series as o.
func textChart(o TextOptions, title, xLabel string, line, points curve) string {
	const left = 9 // columns of the y labels
	columns := o.Width - left - 1
	low, high := math.Inf(1), math.Inf(-1)
	for _, ys := range [][]float64{line.ys, points.ys} {
		for _, y := range ys {
			if !math.IsNaN(y) && !math.IsInf(y, 0) {
				low, high = math.Min(low, y), math.Max(high, y)
			}
		}
	}
	if math.IsInf(low, 0) {
		return title + ": no numbers yet\n"
	}
	if high/2 == low/2 {
		low, high = low-math.Max(0.5, math.Abs(low)*1e-3), high+math.Max(0.5, math.Abs(high)*1e-3)
	}
	first, last := line.xs[0], line.xs[len(line.xs)-1]
	if first == last {
		last = first + math.Max(1, math.Abs(first)*1e-3)
	}
	dots := newBraille(columns, o.Rows)
	// Halved, since the difference of two finite numbers may not be.
	share := func(v, from, to float64, count int) int {
		return min(count-1, max(0, int(math.Round((v/2-from/2)/(to/2-from/2)*float64(count-1)))))
	}
	place := func(x, y float64) (int, int) { return share(x, first, last, 2*columns), share(y, high, low, 4*o.Rows) }
	for i := 1; i < len(line.xs); i++ {
		if bad(line.ys[i-1]) || bad(line.ys[i]) {
			continue
		}
		x0, y0 := place(line.xs[i-1], line.ys[i-1])
		x1, y1 := place(line.xs[i], line.ys[i])
		dots.line(x0, y0, x1, y1)
	}
	marks := map[[2]int]bool{}
	for i := range points.xs {
		if !bad(points.ys[i]) && points.xs[i] >= first && points.xs[i] <= last {
			x, y := place(points.xs[i], points.ys[i])
			marks[[2]int{x / 2, y / 4}] = true
		}
	}
	blue, orange, plain := "", "", ""
	if o.Color {
		blue, orange, plain = "\x1b[34m", "\x1b[33m", "\x1b[0m"
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", left) + title + "\n")
	for row := range o.Rows {
		label := ""
		switch row {
		case 0:
			label = fmt.Sprintf("%.4g", high)
		case o.Rows - 1:
			label = fmt.Sprintf("%.4g", low)
		}
		fmt.Fprintf(&b, "%*s │%s", left-2, label, blue)
		for column := range columns {
			if marks[[2]int{column, row}] {
				b.WriteString(orange + "o" + plain + blue)
			} else {
				b.WriteRune(dots.at(column, row))
			}
		}
		b.WriteString(plain + "\n")
	}
	ends := fmt.Sprintf("%g", last)
	begin := fmt.Sprintf("%g %s", first, xLabel)
	gap := max(1, columns-len(begin)-len(ends))
	fmt.Fprintf(&b, "%s%s%s%s\n", strings.Repeat(" ", left), begin, strings.Repeat(" ", gap), ends)
	return b.String()
}

func bad(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// braille is a canvas of characters with 2 x 4 dots each.
type braille struct {
	columns int
	cells   []uint8
}

func newBraille(columns, rows int) *braille {
	return &braille{columns, make([]uint8, columns*rows)}
}

// The bit of each dot of a character, by row and column.
var brailleBits = [4][2]uint8{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

func (b *braille) set(x, y int) {
	if x >= 0 && y >= 0 && x < 2*b.columns && y/4*b.columns < len(b.cells) {
		b.cells[y/4*b.columns+x/2] |= brailleBits[y%4][x%2]
	}
}

func (b *braille) at(column, row int) rune {
	bits := b.cells[row*b.columns+column]
	if bits == 0 {
		return ' '
	}
	return 0x2800 + rune(bits)
}

// line sets the dots between two, as many as the longer side has.
func (b *braille) line(x0, y0, x1, y1 int) {
	n := max(abs(x1-x0), abs(y1-y0), 1)
	for i := range n + 1 {
		t := float64(i) / float64(n)
		b.set(x0+int(math.Round(t*float64(x1-x0))), y0+int(math.Round(t*float64(y1-y0))))
	}
}

func abs(v int) int { return max(v, -v) }
