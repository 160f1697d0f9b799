package report

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wangkuiyi/orrery/report/internal/whole"
)

// chartPoints is how many points of a long series a page's chart gets.
const chartPoints = 3000

// Write draws the plots of the run folder dir and then its report.html: one
// page that asks for nothing outside itself. It returns the page's path.
func Write(dir string) (path string, err error) {
	r, err := Load(dir)
	if err != nil {
		return "", err
	}
	if _, err := r.WritePlots(); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "report.html")
	return path, writePage(path, "report.html", r.view)
}

// writePage fills a template with what view makes of the page's assets.
func writePage(path, name string, view func(pageAssets) any) error {
	all, err := templates()
	if err != nil {
		return fmt.Errorf("page template: %w", err)
	}
	assets, err := newAssets("start.js")
	if err != nil {
		return fmt.Errorf("page assets: %w", err)
	}
	content := view(assets)
	return whole.Write(path, func(w io.Writer) error {
		return all.ExecuteTemplate(w, name, content)
	})
}

// runView is what report.html is filled with.
type runView struct {
	Title, Name, Lead string
	Assets            pageAssets
	Charts            []Chart
	Tiles             []Tile
	Notes             []Note // damaged files; those not yet written are told in their sections
	History           []EpochRow
	HasLoss, HasSteps bool
	HasMemory         bool
	ShowBatch         template.URL
	TopLossGrid       template.URL
	GradCAM           template.URL
	Confusion         *confusionView
	Scores            *scoresView
	LRFind            template.URL
	Layers            []layerView
	TopLosses         []TopLoss
	Recipe            []fact
	RecipeText        string
	Environment       []fact
	Command           string
	Log               []LogLine
	run               *Run
}

type fact struct{ Name, Value string }

// An EpochRow is a row of the epoch table as text, with fastai's six decimals.
type EpochRow struct {
	Epoch                                int
	TrainLoss, ValidLoss, Accuracy, Time string
	Best                                 bool
}

// Why tells the reader why a section is empty.
func (v runView) Why(file string) string {
	if note := v.run.Note(file); note != "" {
		return file + ": " + note
	}
	return file + " holds none"
}

func (r *Run) view(assets pageAssets) any {
	v := runView{
		Title: r.Name + " · Orrery", Name: r.Name, Assets: assets, run: r,
		HasLoss: len(r.Steps) > 0 || len(r.History) > 0, HasSteps: len(r.Steps) > 0, HasMemory: r.hasMemory(),
		History: EpochRows(r.History), Charts: r.Charts(chartPoints),
		Tiles: r.Tiles(), Environment: r.environment(), Command: r.command(),
		Recipe: recipeFacts(r.Recipe), RecipeText: r.Recipe, Log: r.Log,
	}
	v.Lead = r.Lead()
	for _, note := range r.Notes {
		if note.Text != errAbsent.Error() {
			v.Notes = append(v.Notes, note)
		}
	}
	if e := r.Evaluation; e != nil {
		v.TopLosses = e.TopLosses[:min(len(e.TopLosses), shownTopLosses)]
		if len(e.Confusion) > 0 {
			v.Confusion = viewConfusion(e)
		}
	}
	picture := func(name string) template.URL {
		uri, err := pictureURI(filepath.Join(r.Dir, "plots", name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			v.Notes = append(v.Notes, Note{File: "plots/" + name, Text: reason(err)})
		}
		return uri
	}
	v.ShowBatch, v.TopLossGrid, v.LRFind = picture("show-batch.png"), picture("top-losses.png"), picture("lr-find.png")
	v.GradCAM = picture("grad-cam.png")
	v.Scores = r.scores()
	layers, charts, err := r.layers()
	if err != nil {
		v.Notes = append(v.Notes, Note{File: "activations.npz", Text: reason(err)})
	}
	v.Layers, v.Charts = layers, append(v.Charts, charts...)
	return v
}

// maxPicture is the largest PNG file that goes into a page, in bytes.
const maxPicture = 16 << 20

// pictureURI reads a PNG file into a data: URI.
func pictureURI(path string) (template.URL, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxPicture {
		return "", fmt.Errorf("%d bytes are too many for the page (limit %d)", info.Size(), maxPicture)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(string(content), "\x89PNG\r\n\x1a\n") {
		return "", errors.New("not a PNG file")
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(content)), nil
}

// EpochRows makes the epoch table; of several rows the most accurate is marked.
func EpochRows(history []Epoch) []EpochRow {
	rows := make([]EpochRow, len(history))
	best := -1
	for i, e := range history {
		rows[i] = EpochRow{Epoch: e.Epoch, TrainLoss: six(e.TrainLoss), ValidLoss: six(e.ValidLoss), Accuracy: six(e.Accuracy), Time: clock(e.Seconds)}
		if !math.IsNaN(e.Accuracy) && (best < 0 || e.Accuracy > history[best].Accuracy) {
			best = i
		}
	}
	if best >= 0 && len(rows) > 1 {
		rows[best].Best = true
	}
	return rows
}

// Charts describes the run's curves, each with at most about the given number
// of points: loss, accuracy, rate, momentum, throughput, wait, memory.
func (r *Run) Charts(points int) []Chart {
	zero, one := 0.0, 1.0
	charts := []Chart{}
	if len(r.Steps) > 0 || len(r.History) > 0 {
		l := r.lossSeries(points)
		valid := make(Numbers, len(l.x))
		for i := range valid {
			valid[i] = math.NaN()
			if j, found := slices.BinarySearch(l.validX, l.x[i]); found {
				valid[i] = l.validY[j]
			}
		}
		c := Chart{ID: "loss", X: l.x, XLabel: l.axis, Whole: true}
		if len(l.raw) > 0 {
			c.Series = append(c.Series, Series{"batch", l.raw, 1, "faint"})
		}
		c.Series = append(c.Series, Series{"train", l.smoothed, 1, "line"}, Series{"valid", valid, 2, "points"})
		charts = append(charts, c)
	}
	if len(r.History) > 0 {
		c := Chart{ID: "accuracy", XLabel: "epoch", Whole: true, Min: &zero, Max: &one, Series: []Series{{"accuracy", nil, 3, "points"}}}
		accuracies := make([]float64, len(r.History))
		for i, e := range r.History {
			accuracies[i] = e.Accuracy
		}
		for _, i := range Thin(accuracies, points) {
			e := r.History[i]
			c.X, c.Series[0].Values = append(c.X, float64(e.Epoch)), append(c.Series[0].Values, e.Accuracy)
		}
		charts = append(charts, c)
	}
	if len(r.Steps) > 0 {
		s := r.scheduleSeries(points)
		speed := make([]float64, len(r.Steps))
		wait := make([]float64, len(r.Steps))
		memory := make([]float64, len(r.Steps))
		for i, step := range r.Steps {
			speed[i], wait[i], memory[i] = step.ImagesPerSecond, 1000*step.DataWait, step.Memory
		}
		charts = append(charts,
			Chart{ID: "rate", X: s.x, XLabel: "step", Whole: true, Series: []Series{{"lr", s.rate, 1, "line"}}},
			Chart{ID: "momentum", X: s.x, XLabel: "step", Whole: true, Series: []Series{{"momentum", s.momentum, 4, "line"}}},
			r.perStep("throughput", "img/s", speed, 3, points), r.perStep("wait", "ms", wait, 2, points))
		if r.hasMemory() {
			charts = append(charts, r.perStep("memory", "MiB", memory, 5, points))
		}
	}
	return charts
}

// hasMemory tells whether any step knows how much memory the process held.
func (r *Run) hasMemory() bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return !math.IsNaN(s.Memory) })
}

// perStep is a chart of one value a step, from 0 up.
func (r *Run) perStep(id, label string, values []float64, color, points int) Chart {
	zero := 0.0
	c := Chart{ID: id, XLabel: "step", Whole: true, Min: &zero, Series: []Series{{label, nil, color, "line"}}}
	for _, i := range Thin(values, points) {
		c.X, c.Series[0].Values = append(c.X, float64(r.Steps[i].Step)), append(c.Series[0].Values, values[i])
	}
	return c
}

type confusionView struct {
	Classes []string
	Rows    []confusionRow
	Many    bool // too many columns for names to stand upright
}

type confusionRow struct {
	Class string
	Cells []confusionCell
	Right string // the row's recall
}

type confusionCell struct {
	Count    int
	Fraction float64 // of the row, to shade the cell with
	Deep     bool    // dark enough for white text
}

func viewConfusion(e *Evaluation) *confusionView {
	v := &confusionView{Classes: e.Classes, Many: len(e.Classes) > 8}
	for i, counts := range e.Confusion {
		total := 0
		for _, count := range counts {
			total += count
		}
		row := confusionRow{Class: e.Classes[i], Right: "–"}
		for _, count := range counts {
			fraction := 0.0
			if total > 0 {
				fraction = math.Round(1000*float64(count)/float64(total)) / 1000
			}
			row.Cells = append(row.Cells, confusionCell{count, fraction, fraction > 0.5})
		}
		if total > 0 {
			row.Right = percent(float64(counts[i]) / float64(total))
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}
