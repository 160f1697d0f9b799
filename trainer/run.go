package trainer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
)

// The files of a run folder.
const (
	recipeFile     = "recipe.yaml"
	historyFile    = "history.csv"
	stepsFile      = "steps.csv"
	resultFile     = "result.json"
	evaluationFile = "evaluation.json"
	modelFile      = "model.safetensors"
	logFile        = "log.jsonl"
	predictionFile = "predictions.csv"
	lockFile       = ".lock"
	stopFile       = "stop" // whoever makes it, the live page for one, ends the training after a checkpoint
	checkpointsDir = "checkpoints"
	plotsDir       = "plots"
)

var (
	historyHeader = []string{"epoch", "train_loss", "valid_loss", "accuracy", "seconds"}
	stepsHeader   = []string{"step", "epoch", "lr", "momentum", "loss", "smoothed_loss", "images_per_second", "data_wait_seconds"}
)

// A Run is a run folder that this process writes. One process at a time
// writes a folder; the lock goes with the process.
type Run struct {
	Dir   string
	lock  *flock.Flock
	steps *os.File
	rows  *csv.Writer
	// flushed is when steps.csv was last brought up to date for those who follow it.
	flushed time.Time
}

// flushEvery is how far steps.csv may lag behind.
const flushEvery = time.Second

// FreshDir gives the first of base, base-2, base-3, ... that does not exist.
func FreshDir(base string) (string, error) {
	for i := 1; i < 100000; i++ {
		dir := base
		if i > 1 {
			dir = fmt.Sprintf("%s-%d", base, i)
		}
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return dir, nil
		} else if err != nil {
			return "", fmt.Errorf("run folder %s: %w", dir, err)
		}
	}
	return "", fmt.Errorf("run folder %s: all names up to %s-99999 are taken; give another with --output", base, base)
}

// NewRun makes dir a run folder for recipe. A folder that holds a run already is refused.
func NewRun(dir string, recipe Recipe) (*Run, error) {
	if _, err := os.Stat(filepath.Join(dir, recipeFile)); err == nil {
		return nil, fmt.Errorf("run folder %s holds a run already; continue it with --resume %s or give another --output", dir, dir)
	}
	if err := os.MkdirAll(filepath.Join(dir, checkpointsDir), 0o755); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	run, err := lockRun(dir)
	if err != nil {
		return nil, err
	}
	text, err := recipe.YAML()
	if err == nil {
		err = atomicfile.Write(run.path(recipeFile), text)
	}
	if err == nil {
		err = run.openSteps(0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run folder %s: %w", dir, err), run.Close())
	}
	return run, nil
}

// ContinueRun opens a run folder to train on from its checkpoint's step;
// later rows of steps.csv are cut.
func ContinueRun(dir string, step int) (*Run, error) {
	run, err := lockRun(dir)
	if err != nil {
		return nil, err
	}
	if err := run.openSteps(step); err != nil {
		return nil, errors.Join(fmt.Errorf("run folder %s: %w", dir, err), run.Close())
	}
	return run, nil
}

func lockRun(dir string) (*Run, error) {
	lock := flock.New(filepath.Join(dir, lockFile))
	taken, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("run folder %s: %w", dir, err)
	}
	if !taken {
		return nil, fmt.Errorf("run folder %s: another process is training into it; wait for it or give another --output", dir)
	}
	return &Run{Dir: dir, lock: lock}, nil
}

// Close ends the writing of steps and lets the folder go.
func (r *Run) Close() error {
	var err error
	if r.steps != nil {
		r.rows.Flush()
		err = errors.Join(r.rows.Error(), r.steps.Close())
		r.steps = nil
	}
	return errors.Join(err, r.lock.Unlock(), os.Remove(r.lock.Path()))
}

func (r *Run) path(name string) string { return filepath.Join(r.Dir, name) }

// LogPath is where a run's log goes, a JSON object a line.
func (r *Run) LogPath() string { return r.path(logFile) }

// PlotPath is where a run's picture of that name goes; the folder is made.
func (r *Run) PlotPath(name string) (string, error) {
	if err := os.MkdirAll(r.path(plotsDir), 0o755); err != nil {
		return "", err
	}
	return filepath.Join(r.path(plotsDir), name), nil
}

// openSteps opens steps.csv for appending after its first `keep` rows.
func (r *Run) openSteps(keep int) error {
	var kept strings.Builder
	kept.WriteString(strings.Join(stepsHeader, ",") + "\n")
	if text, err := os.ReadFile(r.path(stepsFile)); err == nil && keep > 0 {
		lines := strings.SplitAfter(string(text), "\n")
		for _, line := range lines[min(1, len(lines)):min(keep+1, len(lines))] {
			kept.WriteString(line)
		}
	}
	if err := atomicfile.Write(r.path(stepsFile), []byte(kept.String())); err != nil {
		return err
	}
	f, err := os.OpenFile(r.path(stepsFile), os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	r.steps, r.rows = f, csv.NewWriter(f)
	return nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// addStep appends a row to steps.csv. The last rows of a killed run may be
// missing; resuming cuts them at the checkpoint anyway.
func (r *Run) addStep(s Step) error {
	if now := time.Now(); now.Sub(r.flushed) >= flushEvery {
		r.flushed = now
		defer r.rows.Flush()
	}
	return r.rows.Write([]string{
		strconv.Itoa(s.Step), strconv.Itoa(s.Epoch), number(s.LearningRate), number(s.Momentum), number(s.Loss),
		number(s.SmoothedLoss), strconv.FormatFloat(s.ImagesPerSecond, 'f', 2, 64), strconv.FormatFloat(s.DataWaitSeconds, 'f', 6, 64),
	})
}

// takeStop reports whether someone asked the run to stop, and takes the request away.
func (r *Run) takeStop() bool { return os.Remove(r.path(stopFile)) == nil }

// writePredictions replaces predictions.csv: path, label and the probability
// of each class, a row a picture of the validation split.
func (r *Run) writePredictions(classes int, predictions []labelled) error {
	var text strings.Builder
	rows := csv.NewWriter(&text)
	row := []string{"path", "label"}
	for i := range classes {
		row = append(row, "p"+strconv.Itoa(i))
	}
	rows.Write(row) //nolint:errcheck // a Builder takes every write; Error below would tell
	for _, p := range predictions {
		row = append(row[:0], p.path, strconv.Itoa(p.label))
		for _, probability := range p.probabilities {
			row = append(row, strconv.FormatFloat(probability, 'g', 7, 64))
		}
		rows.Write(row) //nolint:errcheck // as above
	}
	rows.Flush()
	return errors.Join(rows.Error(), atomicfile.Write(r.path(predictionFile), []byte(text.String())))
}

// writeHistory replaces history.csv and brings steps.csv up to date beside it.
func (r *Run) writeHistory(history []Epoch) error {
	var text strings.Builder
	rows := csv.NewWriter(&text)
	rows.Write(historyHeader) //nolint:errcheck // a Builder takes every write; Error below would tell
	for _, e := range history {
		rows.Write([]string{ //nolint:errcheck // as above
			strconv.Itoa(e.Epoch), sixDecimals(e.TrainLoss), sixDecimals(e.ValidLoss), sixDecimals(e.Accuracy), strconv.FormatFloat(e.Seconds, 'f', 3, 64),
		})
	}
	rows.Flush()
	r.rows.Flush()
	return errors.Join(rows.Error(), r.rows.Error(), atomicfile.Write(r.path(historyFile), []byte(text.String())))
}

func sixDecimals(x float64) string { return strconv.FormatFloat(x, 'f', 6, 64) }

// Unfinished reports whether dir holds a run that stopped before its end.
func Unfinished(dir string) bool {
	_, noCheckpoint := os.Stat(filepath.Join(dir, checkpointsDir, lastCheckpoint))
	_, noResult := os.Stat(filepath.Join(dir, resultFile))
	return noCheckpoint == nil && noResult != nil
}
