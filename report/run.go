package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Run is what a run folder says. A part whose file is missing or damaged is
// empty, and Notes tells why.
type Run struct {
	Dir  string // as given to Load
	Name string // the folder's own name

	Recipe     string      // recipe.yaml's text
	History    []Epoch     // one row an epoch, in order
	Steps      []Step      // one row a training step, in order
	Result     *Result     // nil while training or when it was cut short
	Evaluation *Evaluation // nil when there was none
	// Interpretation scores predictions.csv, or without it Evaluation's confusion; nil without either.
	Interpretation *Interpretation
	Log            []LogLine // the last lines of log.jsonl
	Plots          []string  // file names in plots/, sorted

	// Activations are nil unless the run kept them.
	Activations *Activations

	Notes []Note
}

// A Note says that a file of the run is missing or damaged.
type Note struct {
	File string // slash-separated, relative to the run folder
	Text string // the reason, one line
}

// errAbsent marks a file that is not there, which is normal for a young run.
var errAbsent = errors.New("not written")

// Load reads the run folder dir. It fails only when dir cannot be read or
// holds none of a run's files; any single damaged file becomes a Note.
func Load(dir string) (*Run, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read run folder: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is a file, not a run folder", dir)
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read run folder %s: %w", dir, err)
	}
	r := &Run{Dir: dir, Name: filepath.Base(full)}
	found := 0
	read := func(file string, parse func(path string) error) {
		err := parse(filepath.Join(dir, filepath.FromSlash(file)))
		if !errors.Is(err, fs.ErrNotExist) {
			found++
		}
		if err != nil {
			r.Notes = append(r.Notes, Note{File: file, Text: reason(err)})
		}
	}
	read("recipe.yaml", func(path string) error {
		text, err := os.ReadFile(path)
		r.Recipe = string(text)
		return err
	})
	read("history.csv", func(path string) (err error) {
		r.History, err = readHistory(path)
		return err
	})
	read("steps.csv", func(path string) (err error) {
		r.Steps, err = readSteps(path)
		return err
	})
	read("result.json", func(path string) (err error) {
		r.Result, err = readResult(path)
		return err
	})
	read("evaluation.json", func(path string) (err error) {
		r.Evaluation, err = readEvaluation(path)
		return err
	})
	if e := r.Evaluation; e != nil && len(e.Confusion) > 0 {
		read("predictions.csv", func(path string) error {
			list, err := ReadPredictions(path, len(e.Classes))
			if err == nil {
				r.Interpretation, err = Interpret(e.Classes, list, len(e.TopLosses))
			}
			if r.Interpretation == nil {
				// Sound, since the evaluation was checked as it was read.
				r.Interpretation, _ = InterpretConfusion(e.Classes, e.Confusion)
			}
			return err
		})
	}
	if found == 0 {
		return nil, fmt.Errorf("%s is not a run folder: it has none of recipe.yaml, history.csv, steps.csv, result.json", dir)
	}
	read("activations.npz", func(path string) (err error) {
		r.Activations, err = LoadActivations(path)
		return err
	})
	read("log.jsonl", func(path string) (err error) {
		r.Log, err = TailLog(path, 200)
		return err
	})
	entries, err := os.ReadDir(filepath.Join(dir, "plots"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Notes = append(r.Notes, Note{File: "plots", Text: reason(err)})
	}
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			r.Plots = append(r.Plots, e.Name())
		}
	}
	return r, nil
}

// Note returns the reason why a file gave nothing, or "".
func (r *Run) Note(file string) string {
	i := slices.IndexFunc(r.Notes, func(n Note) bool { return n.File == file })
	if i < 0 {
		return ""
	}
	return r.Notes[i].Text
}

// reason is an error without the path that the Note names anyway.
func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return errAbsent.Error()
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// parseJSON decodes one JSON file's text and tells a cut one from a wrong one.
func parseJSON(text []byte, into any) error {
	if len(strings.TrimSpace(string(text))) == 0 {
		return errors.New("the file is empty")
	}
	if err := json.Unmarshal(text, into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			if syntax.Offset >= int64(len(text)) {
				return fmt.Errorf("the file ends in the middle, after %d bytes", len(text))
			}
			return fmt.Errorf("not JSON at byte %d: %w", syntax.Offset, err)
		}
		return fmt.Errorf("unexpected content: %w", err)
	}
	return nil
}
