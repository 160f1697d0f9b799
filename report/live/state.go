package live

import (
	"math"
	"strconv"

	"github.com/wangkuiyi/orrery/report"
)

// A state is what the page shows of one run, as JSON.
type state struct {
	Run      string         `json:"run"`
	Title    string         `json:"title"`
	Lead     string         `json:"lead"`
	Status   string         `json:"status"`  // "running", "stopped" before its end, "finished"
	Changed  int64          `json:"changed"` // when a file last grew, milliseconds since 1970
	Epoch    int            `json:"epoch"`   // under way, from 0
	Epochs   int            `json:"epochs"`  // asked for; 0 unknown
	Step     int            `json:"step"`    // done
	Steps    int            `json:"steps"`   // of the whole run; 0 unknown
	ETA      *float64       `json:"eta"`     // seconds; null unknown
	Tiles    []report.Tile  `json:"tiles"`
	Charts   []report.Chart `json:"charts"`
	History  [][]string     `json:"history"` // the last rows of the epoch table
	Earlier  int            `json:"earlier"` // rows before these
	Log      []logLine      `json:"log"`
	Pictures []picture      `json:"pictures"`
	Layers   []layer        `json:"layers"`
	Matrix   *matrix        `json:"matrix"`
	Stopping bool           `json:"stopping"`
	Note     string         `json:"note"`
}

type logLine struct {
	Time  string `json:"time"`
	Level string `json:"level"`
	Text  string `json:"text"`
}

type picture struct {
	Name    string `json:"name"`
	Version int64  `json:"version"` // changes with the file
}

type layer struct {
	Index    int     `json:"index"`
	Name     string  `json:"name"`
	Version  int64   `json:"version"`
	NearZero float64 `json:"near_zero"`
	Dead     bool    `json:"dead"`
}

type matrix struct {
	Classes []string `json:"classes"`
	Counts  [][]int  `json:"counts"` // rows actual, columns predicted
}

func (w *watched) state() state {
	r := &w.run
	s := state{
		Run: w.name, Title: r.Name, Lead: r.Lead(), Status: "running", Tiles: r.Tiles(), Charts: r.Charts(points),
		Changed: w.grew.UnixMilli(), Stopping: w.stopping, Note: w.noteText,
		History: [][]string{}, Log: []logLine{}, Pictures: []picture{}, Layers: []layer{},
	}
	switch {
	case r.Result != nil:
		s.Status = "finished"
	case w.stopped:
		s.Status = "stopped"
	}
	if s.Tiles == nil {
		s.Tiles = []report.Tile{}
	}
	s.Earlier = max(0, len(r.History)-keepEpochs)
	for _, row := range report.EpochRows(r.History)[s.Earlier:] {
		s.History = append(s.History, []string{strconv.Itoa(row.Epoch), row.TrainLoss, row.ValidLoss, row.Accuracy, row.Time})
	}
	for _, l := range r.Log[max(0, len(r.Log)-keepLog):] {
		line := logLine{Level: l.Level, Text: l.Message}
		if l.Rest != "" {
			line.Text += "  " + l.Rest
		}
		if !l.Time.IsZero() {
			line.Time = l.Time.Local().Format("15:04:05")
		}
		s.Log = append(s.Log, line)
	}
	for _, name := range shownPlots {
		if version, ok := w.plots[name]; ok {
			// JavaScript's numbers hold 53 bits.
			s.Pictures = append(s.Pictures, picture{name, version / 1000})
		}
	}
	if a := w.layers; a != nil {
		version := w.activation.last.ModTime().UnixMicro()
		for i, m := range a.Summary() {
			if !math.IsNaN(m.NearZero) {
				s.Layers = append(s.Layers, layer{i, m.Module, version, m.NearZero, m.Dead})
			}
		}
	}
	if e := r.Evaluation; e != nil && len(e.Confusion) > 0 && len(e.Classes) <= 100 {
		s.Matrix = &matrix{e.Classes, e.Confusion}
	}
	w.progress(&s)
	return s
}

// progress tells where in the schedule the run is and when it will end.
func (w *watched) progress(s *state) {
	s.Epochs, _ = strconv.Atoi(w.run.RecipeValue("epochs"))
	if n := len(w.run.Steps); n > 0 {
		last := w.run.Steps[n-1]
		s.Step, s.Epoch = last.Step+1, last.Epoch
	}
	s.Steps = w.allSteps
	if s.Steps == 0 && s.Epochs > 0 && len(w.run.History) > 0 {
		s.Steps = s.Epochs * w.perEpoch // after an epoch its length is known
	}
	if s.Status != "running" || s.Steps == 0 {
		return
	}
	if left := w.secondsLeft(s); !math.IsNaN(left) && !math.IsInf(left, 0) {
		left = math.Max(0, left)
		s.ETA = &left
	}
}

// secondsLeft goes by the last epoch's time, which includes validation; in the
// first epoch by the last steps' speed. NaN when there is neither.
func (w *watched) secondsLeft(s *state) float64 {
	if n := len(w.run.History); n > 0 && w.perEpoch > 0 && s.Epochs > 0 {
		last := w.run.History[n-1]
		left := float64(s.Epochs-1-last.Epoch) * last.Seconds
		if w.stepEpoch > last.Epoch {
			left -= last.Seconds * float64(w.inEpoch) / float64(w.perEpoch)
		}
		return left
	}
	batch, err := strconv.ParseFloat(w.run.RecipeValue("batch_size"), 64)
	recent := w.run.Steps[max(0, len(w.run.Steps)-20):]
	if err != nil || len(recent) == 0 {
		return math.NaN()
	}
	seconds := 0.0
	for _, step := range recent {
		seconds += batch / step.ImagesPerSecond
	}
	return seconds / float64(len(recent)) * float64(s.Steps-s.Step)
}
