package trainer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
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
	stepsHeader   = []string{"step", "epoch", "lr", "momentum", "loss", "smoothed_loss", "images_per_second", "data_wait_seconds", "memory_mib"}
)

// A Run is a run folder that this process writes. One process at a time
// writes a folder; the lock goes with the process.
//
// A nil Run writes nothing: that of the processes of a world that leave the
// writing to the first.
type Run struct {
	Dir  string
	lock *flock.Flock
	// steps.csv, what of it is not written yet, and when it was last tried.
	steps   *os.File
	rows    bytes.Buffer
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
	if HoldsRun(dir) {
		return nil, fmt.Errorf("run folder %s holds a run already; continue it with --resume %s or give another --output", dir, dir)
	}
	return RestartRun(dir, recipe)
}

// RestartRun is NewRun for a folder that may hold a run which stopped before
// its first checkpoint.
func RestartRun(dir string, recipe Recipe) (*Run, error) {
	if err := os.MkdirAll(filepath.Join(dir, checkpointsDir), 0o755); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	run, err := lockRun(dir)
	if err != nil {
		return nil, err
	}
	text, err := recipe.YAML()
	if err == nil {
		err = errors.Join(removeTemporaries(dir), atomicfile.Write(run.path(recipeFile), text))
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
	if err := errors.Join(removeTemporaries(dir), setDamagedAside(dir, step), run.openSteps(step)); err != nil {
		return nil, errors.Join(fmt.Errorf("run folder %s: %w", dir, err), run.Close())
	}
	return run, nil
}

// Close ends the writing of steps and lets the folder go.
func (r *Run) Close() error {
	if r == nil {
		return nil
	}
	var err error
	if r.steps != nil {
		err = errors.Join(r.flushSteps(), r.steps.Close())
		r.steps = nil
	}
	return errors.Join(err, unlock(r.lock))
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

// openSteps opens steps.csv for appending after the rows of the steps before
// the given one.
func (r *Run) openSteps(step int) error {
	if r.steps != nil { // after a rollback
		if err := errors.Join(r.flushSteps(), r.steps.Close()); err != nil {
			return err
		}
	}
	var kept strings.Builder
	kept.WriteString(strings.Join(stepsHeader, ",") + "\n")
	if text, err := os.ReadFile(r.path(stepsFile)); err == nil && step > 0 {
		for line := range strings.Lines(string(text)) {
			first, _, _ := strings.Cut(line, ",")
			if n, err := strconv.Atoi(first); err == nil && n < step && strings.HasSuffix(line, "\n") {
				kept.WriteString(line)
			}
		}
	}
	if err := atomicfile.Write(r.path(stepsFile), []byte(kept.String())); err != nil {
		return err
	}
	f, err := os.OpenFile(r.path(stepsFile), os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	r.steps = f
	return nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// known is a number with one decimal, empty when it is NaN.
func known(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

// addStep appends a row to steps.csv. The last rows of a killed run may be
// missing; resuming cuts them at the checkpoint anyway. Rows that the disk does
// not take stay in memory for the next time.
func (r *Run) addStep(s Step) error {
	if r == nil {
		return nil
	}
	row := []string{
		strconv.Itoa(s.Step), strconv.Itoa(s.Epoch), number(s.LearningRate), number(s.Momentum), number(s.Loss),
		number(s.SmoothedLoss), strconv.FormatFloat(s.ImagesPerSecond, 'f', 2, 64), strconv.FormatFloat(s.DataWaitSeconds, 'f', 6, 64), known(s.MemoryMiB),
	}
	r.rows.WriteString(strings.Join(row, ",") + "\n") // numbers need no quotes
	if now := time.Now(); now.Sub(r.flushed) >= flushEvery {
		r.flushed = now
		return r.flushSteps()
	}
	return nil
}

// flushSteps brings steps.csv up to date.
func (r *Run) flushSteps() error {
	n, err := r.steps.Write(r.rows.Bytes())
	r.rows.Next(n)
	return err
}

// takeStop reports whether someone asked the run to stop, and takes the request away.
func (r *Run) takeStop() bool { return r != nil && os.Remove(r.path(stopFile)) == nil }

// writePredictions replaces predictions.csv: path, label and the probability
// of each class, a row a picture of the validation split.
func (r *Run) writePredictions(classes int, predictions []Labelled) error {
	var text strings.Builder
	rows := csv.NewWriter(&text)
	row := []string{"path", "label"}
	for i := range classes {
		row = append(row, "p"+strconv.Itoa(i))
	}
	rows.Write(row) //nolint:errcheck // a Builder takes every write; Error below would tell
	for _, p := range predictions {
		row = append(row[:0], p.Path, strconv.Itoa(p.Label))
		for _, probability := range p.Probabilities {
			row = append(row, strconv.FormatFloat(probability, 'g', 7, 64))
		}
		rows.Write(row) //nolint:errcheck // as above
	}
	rows.Flush()
	return errors.Join(rows.Error(), atomicfile.Write(r.path(predictionFile), []byte(text.String())))
}

// writeHistory replaces history.csv and brings steps.csv up to date beside it.
func (r *Run) writeHistory(history []Epoch) error {
	if r == nil {
		return nil
	}
	var text strings.Builder
	rows := csv.NewWriter(&text)
	rows.Write(historyHeader) //nolint:errcheck // a Builder takes every write; Error below would tell
	for _, e := range history {
		rows.Write([]string{ //nolint:errcheck // as above
			strconv.Itoa(e.Epoch), sixDecimals(e.TrainLoss), sixDecimals(e.ValidLoss), sixDecimals(e.Accuracy), strconv.FormatFloat(e.Seconds, 'f', 3, 64),
		})
	}
	rows.Flush()
	return errors.Join(rows.Error(), r.flushSteps(), atomicfile.Write(r.path(historyFile), []byte(text.String())))
}

func sixDecimals(x float64) string { return strconv.FormatFloat(x, 'f', 6, 64) }

// Unfinished reports whether dir holds a run that stopped before its end.
func Unfinished(dir string) bool {
	_, noResult := os.Stat(filepath.Join(dir, resultFile))
	return HoldsRun(dir) && noResult != nil
}

// HoldsRun reports whether dir holds a run, finished or not.
func HoldsRun(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, recipeFile))
	return err == nil
}

// RunRecipe is the recipe that the run in dir was begun with.
func RunRecipe(dir string) (Recipe, error) {
	return LoadRecipe(filepath.Join(dir, recipeFile), Article())
}
