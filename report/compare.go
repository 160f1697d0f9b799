package report

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// A Comparison sets runs beside each other. Its fields are the JSON of
// `orrery compare --json`; a number that a run does not have is null.
type Comparison struct {
	Runs []ComparedRun `json:"runs"`
	// Differences are the recipe's keys whose values differ between the runs.
	Differences []Difference `json:"differences"`

	loaded []*Run
}

// A ComparedRun is one run's row.
type ComparedRun struct {
	Name            string   `json:"name"`
	Dir             string   `json:"dir"`
	Accuracy        *float64 `json:"accuracy"` // of result.json, or the last epoch's
	BestAccuracy    *float64 `json:"best_accuracy"`
	ValidLoss       *float64 `json:"valid_loss"`
	Epochs          int      `json:"epochs"`
	Seconds         *float64 `json:"seconds"`
	ImagesPerSecond *float64 `json:"images_per_second"`
	Device          string   `json:"device"`
}

// A Difference is a recipe key with its value in each run, "" where a run has none.
type Difference struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// Compare loads two or more run folders.
func Compare(dirs []string) (*Comparison, error) {
	if len(dirs) < 2 {
		return nil, errors.New("comparing takes at least two run folders")
	}
	c := &Comparison{Differences: []Difference{}}
	for _, dir := range dirs {
		r, err := Load(dir)
		if err != nil {
			return nil, err
		}
		c.loaded = append(c.loaded, r)
		c.Runs = append(c.Runs, r.row())
	}
	c.differences()
	return c, nil
}

func (r *Run) row() ComparedRun {
	row := ComparedRun{Name: r.Name, Dir: r.Dir, Epochs: len(r.History)}
	number := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	best, seconds := math.NaN(), 0.0
	for _, e := range r.History {
		if !math.IsNaN(e.Accuracy) && !(e.Accuracy <= best) {
			best = e.Accuracy
		}
		seconds += e.Seconds
	}
	row.BestAccuracy = number(best)
	if n := len(r.History); n > 0 {
		row.Accuracy, row.ValidLoss, row.Seconds = number(r.History[n-1].Accuracy), number(r.History[n-1].ValidLoss), number(seconds)
	}
	if x := r.Result; x != nil {
		row.Accuracy, row.ValidLoss = number(x.Accuracy), number(x.ValidLoss)
		row.Seconds, row.ImagesPerSecond, row.Device = number(x.Seconds), number(x.ImagesPerSecond), x.Device
	}
	return row
}

// differences collects the recipes' keys in the order they first occur.
func (c *Comparison) differences() {
	var keys []string
	values := map[string][]string{}
	for i, r := range c.loaded {
		for _, f := range recipeFacts(r.Recipe) {
			if values[f.Name] == nil {
				values[f.Name] = make([]string, len(c.loaded))
				keys = append(keys, f.Name)
			}
			values[f.Name][i] = f.Value
		}
	}
	for _, key := range keys {
		for _, v := range values[key] {
			if v != values[key][0] {
				c.Differences = append(c.Differences, Difference{key, values[key]})
				break
			}
		}
	}
}

type compareView struct {
	Title, Lead string
	Assets      pageAssets
	Charts      []Chart
	Notes       []Note
	Names       []string
	Rows        []compareRow
	Differences []Difference
}

type compareRow struct {
	Name, Accuracy, BestAccuracy, ValidLoss, Epochs, Seconds, ImagesPerSecond, Device string
	Best                                                                              bool
}

// WritePage writes the comparison as one self-contained page.
func (c *Comparison) WritePage(path string) error {
	v := compareView{Title: fmt.Sprintf("%d runs compared", len(c.Runs)), Differences: c.Differences}
	best := -1
	for i, r := range c.Runs {
		if r.Accuracy != nil && (best < 0 || *r.Accuracy > *c.Runs[best].Accuracy) {
			best = i
		}
	}
	show := func(v *float64, digits int) string {
		if v == nil {
			return "–"
		}
		return decimals(*v, digits)
	}
	var losses, valid, accuracies []curve
	for i, r := range c.Runs {
		name := c.nameOf(i)
		v.Names = append(v.Names, name)
		v.Rows = append(v.Rows, compareRow{Name: name, Accuracy: show(r.Accuracy, 4), BestAccuracy: show(r.BestAccuracy, 4), ValidLoss: show(r.ValidLoss, 4),
			Epochs: fmt.Sprint(r.Epochs), Seconds: show(r.Seconds, 1), ImagesPerSecond: show(r.ImagesPerSecond, 1), Device: r.Device, Best: i == best})
		loss, accuracy := c.loaded[i].againstEpochs(chartPoints / len(c.Runs))
		held := curve{xs: accuracy.xs}
		for _, e := range c.loaded[i].History {
			held.ys = append(held.ys, e.ValidLoss)
		}
		for _, one := range []*curve{&loss, &accuracy, &held} {
			one.name, one.color = name, nextColor(i)
		}
		losses, accuracies, valid = append(losses, loss), append(accuracies, accuracy), append(valid, held)
		for _, note := range c.loaded[i].Notes {
			if note.Text != errAbsent.Error() {
				v.Notes = append(v.Notes, Note{File: r.Dir + "/" + note.File, Text: note.Text})
			}
		}
	}
	v.Lead = strings.Join(v.Names, " · ")
	v.Charts = []Chart{overlay("losses", "epochs", losses, "line"), overlay("valid", "epochs", valid, "points"), overlay("accuracies", "epochs", accuracies, "points")}
	return writePage(path, "compare.html", func(assets pageAssets) any {
		v.Assets = assets
		return v
	})
}

// nameOf is the run's name, with as many of its parent folders as tell it from the others.
func (c *Comparison) nameOf(i int) string {
	full := func(j int) []string {
		path, err := filepath.Abs(c.Runs[j].Dir)
		if err != nil {
			path = c.Runs[j].Dir
		}
		return strings.Split(filepath.ToSlash(path), "/")
	}
	tail := func(parts []string, n int) string { return strings.Join(parts[max(0, len(parts)-n):], "/") }
	own := full(i)
	for n := 1; n < len(own); n++ {
		unique := true
		for j := range c.Runs {
			unique = unique && (j == i || tail(full(j), n) != tail(own, n))
		}
		if unique {
			return tail(own, n)
		}
	}
	return c.Runs[i].Dir
}
