package report

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// A Ladder is the outcome of training the same pictures rung by rung.
type Ladder struct {
	Data        string      // where the pictures came from
	Seeds       []int64     // of the runs of each rung
	Command     []string    // the words of the command that repeats it
	Environment [][2]string // names and values: device, threads, libtorch, commit, ...
	Rungs       []Rung
}

// A Rung is one way to train, over all its seeds.
type Rung struct {
	Name            string    `json:"name"`
	Accuracies      []float64 `json:"accuracies"`        // one a seed, in [0, 1]
	Seconds         float64   `json:"seconds"`           // mean over the seeds
	ImagesPerSecond float64   `json:"images_per_second"` // mean over the seeds
	Runs            []string  `json:"runs,omitempty"`    // run folders, relative to the ladder's
}

// Mean and Spread are the mean accuracy and its standard deviation (n - 1),
// NaN for no runs, and the spread NaN for a single one.
func (r Rung) Mean() float64 {
	sum := 0.0
	for _, a := range r.Accuracies {
		sum += a
	}
	return sum / float64(len(r.Accuracies))
}

// Spread is the standard deviation (n - 1) of the accuracies; NaN below two.
func (r Rung) Spread() float64 {
	mean, sum := r.Mean(), 0.0
	for _, a := range r.Accuracies {
		sum += (a - mean) * (a - mean)
	}
	return math.Sqrt(sum / float64(len(r.Accuracies)-1))
}

// WriteLadder writes the page report.html of a ladder into dir, with the plot
// plots/ladder.png and .svg, and returns the page's path.
func WriteLadder(dir string, l Ladder) (path string, err error) {
	if len(l.Rungs) == 0 {
		return "", errors.New("a ladder without rungs has no report")
	}
	v := l.view(dir)
	if err := plotLadder(filepath.Join(dir, "plots"), l); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "report.html")
	return path, writePage(path, "ladder.html", func(assets pageAssets) any {
		v.Assets = assets
		return v
	})
}

type ladderView struct {
	Title, Lead string
	Assets      pageAssets
	Charts      []Chart
	Notes       []Note
	Rungs       []rungRow
	Spread      bool // any rung with several runs
	Bars        bars
	HasCurves   bool
	Environment []fact
	Command     string
}

type rungRow struct {
	Name, Accuracy, SpreadText, Low, High, Seconds, ImagesPerSecond string
	Runs                                                            int
	Best                                                            bool
}

func (l Ladder) view(dir string) ladderView {
	v := ladderView{Title: "Ladder: " + l.Data, Command: commandLine(l.Command), Charts: []Chart{}}
	best := 0
	for i, r := range l.Rungs {
		if !(r.Mean() <= l.Rungs[best].Mean()) {
			best = i
		}
		v.Spread = v.Spread || len(r.Accuracies) > 1
	}
	for i, r := range l.Rungs {
		low, high := math.NaN(), math.NaN()
		for _, a := range r.Accuracies {
			if !(a >= low) {
				low = a
			}
			if !(a <= high) {
				high = a
			}
		}
		v.Rungs = append(v.Rungs, rungRow{
			Name: r.Name, Accuracy: decimals(r.Mean(), 4), SpreadText: decimals(r.Spread(), 4), Low: decimals(low, 4), High: decimals(high, 4),
			Seconds: decimals(r.Seconds, 1), ImagesPerSecond: decimals(r.ImagesPerSecond, 1), Runs: len(r.Accuracies), Best: i == best,
		})
	}
	v.Lead = fmt.Sprintf("%d rungs on %s", len(l.Rungs), l.Data)
	if n := len(l.Seeds); n > 0 {
		v.Lead += ", " + plural(n, "seed") + " (" + strings.Trim(fmt.Sprint(l.Seeds), "[]") + ")"
	}
	v.Environment = []fact{{"data", l.Data}}
	for _, e := range l.Environment {
		v.Environment = append(v.Environment, fact{e[0], e[1]})
	}
	v.Bars = layBars(l.Rungs)
	v.curves(dir, l)
	return v
}

// curves lays the first run of each rung over each other, against the epoch:
// rungs differ in batch size, so their steps do not compare.
func (v *ladderView) curves(dir string, l Ladder) {
	var losses, accuracies []curve
	for i, rung := range l.Rungs {
		if len(rung.Runs) == 0 {
			continue
		}
		r, err := Load(filepath.Join(dir, filepath.FromSlash(rung.Runs[0])))
		if err != nil {
			v.Notes = append(v.Notes, Note{File: rung.Runs[0], Text: reason(err)})
			continue
		}
		loss, accuracy := r.againstEpochs(chartPoints / len(l.Rungs))
		loss.name, accuracy.name, loss.color, accuracy.color = rung.Name, rung.Name, nextColor(i), nextColor(i)
		losses, accuracies = append(losses, loss), append(accuracies, accuracy)
		v.HasCurves = true
	}
	zero, one := 0.0, 1.0
	if v.HasCurves {
		loss := overlay("losses", "epochs", losses, "line")
		accuracy := overlay("accuracies", "epochs", accuracies, "points")
		accuracy.Min, accuracy.Max = &zero, &one
		v.Charts = append(v.Charts, loss, accuracy)
	}
}

// bars is the geometry of a chart of horizontal bars, in the SVG's own units.
type bars struct {
	Width, Height, Base, Left, Thick int
	Ticks                            []barTick
	Rows                             []barRow
}

type barTick struct {
	X     int
	Label string
}

type barRow struct {
	Name                             string
	Top, Middle, Bottom, Length, End int
	Dots                             []int
}

func layBars(rungs []Rung) bars {
	const row, left, width = 34, 120, 720
	b := bars{Width: width, Left: left, Thick: 20, Base: row*len(rungs) + 8}
	b.Height = b.Base + 22
	at := func(v float64) int {
		if math.IsNaN(v) {
			return left
		}
		return left + int(math.Round(min(1, max(0, v))*(width-left-24)))
	}
	for i := 0; i <= 10; i += 2 {
		b.Ticks = append(b.Ticks, barTick{at(float64(i) / 10), decimals(float64(i)/10, 1)})
	}
	for i, r := range rungs {
		end := at(r.Mean())
		y := barRow{Name: shortTo(r.Name, 16), Top: 8 + row*i, Middle: 18 + row*i, Bottom: 28 + row*i, Length: end - left, End: end}
		for _, a := range r.Accuracies {
			y.Dots = append(y.Dots, at(a))
		}
		b.Rows = append(b.Rows, y)
	}
	return b
}

func shortTo(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit-1]) + "…"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
