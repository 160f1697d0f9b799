package live

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wangkuiyi/orrery/report"
)

const (
	points     = 1200      // of a curve that the page gets
	keepSteps  = 40_000    // in memory; beyond, the curve is thinned to half
	keepLog    = 200       // lines
	keepEpochs = 200       // rows of the epoch table that the page gets
	smallFile  = 4 << 20   // bytes of a file read whole
	noteLimit  = 64 << 10  // bytes
	activation = 256 << 20 // bytes of activations.npz
)

// A watched follows the files of one run. Its methods may be called by many viewers.
type watched struct {
	mu   sync.Mutex
	root *os.Root
	name string

	steps, history, log                                tail
	recipe, result, evaluation, note, stop, activation whole
	run                                                report.Run
	allSteps                                           int // of the whole run, as the log tells; 0 unknown
	perEpoch                                           int // steps of the longest epoch seen
	inEpoch                                            int // steps of the epoch under way
	stepEpoch                                          int
	noteText                                           string
	stopping                                           bool // someone asked for it
	stopped                                            bool // the trainer said it did
	layers                                             *report.Activations
	looked, grew                                       time.Time
	version                                            int
	plots                                              map[string]int64
	text                                               []byte // the state of this version
}

func watch(root *os.Root, name string) (*watched, error) {
	sub, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &watched{
		root: sub, name: name, run: report.Run{Name: title(root, name), Dir: filepath.Join(root.Name(), name)},
		steps: tail{name: "steps.csv"}, history: tail{name: "history.csv"}, log: tail{name: "log.jsonl"},
		recipe: whole{name: "recipe.yaml"}, result: whole{name: "result.json"}, evaluation: whole{name: "evaluation.json"},
		note: whole{name: "note.txt"}, stop: whole{name: "stop"}, activation: whole{name: "activations.npz"},
	}, nil
}

// look reads what is new, unless that was done a moment ago, and returns the
// state's version and its JSON text.
func (w *watched) look(now time.Time, every time.Duration) (int, []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text != nil && now.Sub(w.looked) < every/2 {
		return w.version, w.text
	}
	w.looked = now
	if w.refresh() || w.text == nil {
		w.version++
		text, err := json.Marshal(w.state())
		if err != nil {
			// Every number of the state is a count, a Numbers or checked, so this is a mistake of ours; say it on the page.
			text, _ = json.Marshal(map[string]string{"problem": err.Error()})
		}
		w.text = text
	}
	return w.version, w.text
}

// refresh reads what the files gained and reports whether anything did.
// A file that cannot be read now is tried again at the next look.
func (w *watched) refresh() bool {
	any := false
	saw := func(read bool, _ error) { any = any || read }
	saw(w.steps.read(w.root, func() { w.run.Steps, w.perEpoch, w.inEpoch, w.stepEpoch = nil, 0, 0, 0 }, func(line []byte) {
		if s, err := report.ParseStep(string(line)); err == nil {
			w.addStep(s)
		}
	}))
	saw(w.history.read(w.root, func() { w.run.History = nil }, func(line []byte) {
		if e, err := report.ParseEpoch(string(line)); err == nil {
			w.run.History = report.AddEpoch(w.run.History, e)
		}
	}))
	saw(w.log.read(w.root, func() { w.run.Log, w.stopped = nil, false }, func(line []byte) {
		if len(line) == 0 {
			return
		}
		w.run.Log = append(w.run.Log, report.ParseLogLine(line))
		w.readNotice(line)
		if len(w.run.Log) > 2*keepLog {
			w.run.Log = append([]report.LogLine(nil), w.run.Log[len(w.run.Log)-keepLog:]...)
		}
	}))
	if any {
		w.grew = w.lastWrite()
	}
	saw(w.recipe.read(w.root, smallFile, func(text []byte) { w.run.Recipe = string(text) }))
	saw(w.result.read(w.root, smallFile, func(text []byte) {
		w.run.Result = nil
		if r, err := report.ParseResult(text); err == nil && text != nil {
			w.run.Result = r
		}
	}))
	saw(w.evaluation.read(w.root, smallFile, func(text []byte) {
		w.run.Evaluation = nil
		if e, err := report.ParseEvaluation(text); err == nil && text != nil {
			w.run.Evaluation = e
		}
	}))
	saw(w.note.read(w.root, noteLimit, func(text []byte) { w.noteText = string(text) }))
	saw(w.stop.read(w.root, noteLimit, func(text []byte) { w.stopping = text != nil }))
	saw(w.readActivations())
	saw(w.readPlots(), nil)
	return any
}

// readNotice takes the run's number of steps from the record that the trainer
// logs as it starts, and learns from another that it stopped early.
func (w *watched) readNotice(line []byte) {
	var record struct {
		Message string `json:"msg"`
		Steps   int    `json:"steps"`
	}
	if json.Unmarshal(line, &record) != nil {
		return
	}
	switch record.Message {
	case "training":
		w.stopped = false
		if record.Steps > 0 {
			w.allSteps = record.Steps
		}
	case "stopped":
		w.stopped = true
	}
}

func (w *watched) lastWrite() time.Time {
	latest := time.Time{}
	for _, t := range []tail{w.steps, w.history, w.log} {
		if t.last != nil && t.last.ModTime().After(latest) {
			latest = t.last.ModTime()
		}
	}
	return latest
}

func (w *watched) addStep(s report.Step) {
	if s.Epoch != w.stepEpoch || len(w.run.Steps) == 0 {
		w.stepEpoch, w.inEpoch = s.Epoch, 0
	}
	w.inEpoch++
	w.perEpoch = max(w.perEpoch, w.inEpoch)
	w.run.Steps = report.AddStep(w.run.Steps, s)
	if len(w.run.Steps) <= keepSteps {
		return
	}
	losses := make([]float64, len(w.run.Steps))
	var ends []int
	for i, s := range w.run.Steps {
		losses[i] = s.Loss
		if i > 0 && w.run.Steps[i-1].Epoch != s.Epoch {
			ends = append(ends, i-1)
		}
	}
	if len(ends) > keepSteps/4 { // epochs of a few steps
		ends = nil
	}
	kept := report.Thin(losses, keepSteps/2, ends...)
	thin := make([]report.Step, len(kept), keepSteps+1)
	for i, k := range kept {
		thin[i] = w.run.Steps[k]
	}
	w.run.Steps = thin
}

// readActivations loads activations.npz again when it was replaced.
func (w *watched) readActivations() (bool, error) {
	info, err := regular(w.root, w.activation.name)
	if err != nil || info.Size() > activation {
		return false, err
	}
	last := w.activation.last
	if last != nil && os.SameFile(last, info) && last.ModTime().Equal(info.ModTime()) {
		return false, nil
	}
	w.activation.last = info
	f, err := w.root.Open(w.activation.name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	a, err := report.DecodeActivations(f, info.Size())
	if err != nil {
		return false, err
	}
	w.layers = a
	return true, nil
}

// shownPlots are the pictures the page shows, as plots/NAME.
var shownPlots = []string{"batch.png", "show-batch.png", "top-losses.png", "lr-find.png"}

func (w *watched) readPlots() bool {
	found := map[string]int64{}
	for _, name := range shownPlots {
		if info, err := regular(w.root, "plots/"+name); err == nil && info.Size() <= 4*smallFile {
			found[name] = info.ModTime().UnixNano()
		}
	}
	same := len(found) == len(w.plots)
	for name, version := range found {
		same = same && w.plots[name] == version
	}
	w.plots = found
	return !same
}
