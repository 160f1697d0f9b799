package trainer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"
)

// The checkpoints of a run lie in its checkpoints folder: the last few as
// step-N.safetensors, where N counts the steps done, and the best one.
const (
	bestCheckpoint = "best.safetensors"
	stepPrefix     = "step-"
	stepSuffix     = ".safetensors"
)

// ErrNoCheckpoint tells that a run stopped before its first checkpoint.
var ErrNoCheckpoint = errors.New("no checkpoint to resume from")

func stepCheckpoint(step int) string { return stepPrefix + strconv.Itoa(step) + stepSuffix }

// stepOf is the number in a checkpoint's name.
func stepOf(name string) (step int, ok bool) {
	digits, ok := strings.CutPrefix(name, stepPrefix)
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, stepSuffix); !ok {
		return 0, false
	}
	step, err := strconv.Atoi(digits)
	return step, err == nil && step >= 0 && stepCheckpoint(step) == name
}

// stepCheckpoints lists the numbers of a run's checkpoints, the newest first.
func stepCheckpoints(dir string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(dir, checkpointsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var steps []int
	for _, e := range entries {
		if step, ok := stepOf(e.Name()); ok {
			steps = append(steps, step)
		}
	}
	slices.SortFunc(steps, func(a, b int) int { return cmp.Compare(b, a) })
	return steps, nil
}

// ReadCheckpoint loads the newest whole checkpoint of the run in dir; damaged
// ones are passed over and named in Passed. A scope must be open; the
// checkpoint lives as long as it.
func ReadCheckpoint(dir string) (*Checkpoint, error) {
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	content, path, passed, err := readNewest(dir)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	c, err := newCheckpoint(path, content)
	if c != nil {
		c.Passed = passed
	}
	return c, err
}

// newCheckpoint copies a checkpoint out of an open file, checking every byte.
func newCheckpoint(path string, content *safetensors.File) (*Checkpoint, error) {
	head, err := readHeader(path, content)
	if err != nil {
		return nil, err
	}
	if head.Progress == nil {
		return nil, fmt.Errorf("%s: a model, not a checkpoint", path)
	}
	tensors, err := content.Tensors()
	return &Checkpoint{header: head, path: path, progress: *head.Progress, tensors: tensors}, err
}

// readNewest opens the newest whole checkpoint of a run and lists why newer
// ones were passed over.
func readNewest(dir string) (content *safetensors.File, path string, passed []error, err error) {
	steps, err := stepCheckpoints(dir)
	if err != nil {
		return nil, "", nil, err
	}
	names := make([]string, 0, len(steps)+1)
	for _, step := range steps {
		names = append(names, stepCheckpoint(step))
	}
	for _, name := range append(names, bestCheckpoint) {
		path = filepath.Join(dir, checkpointsDir, name)
		content, _, err := openSealed(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			return content, path, passed, nil
		}
		passed = append(passed, err)
	}
	if len(passed) > 0 {
		return nil, "", nil, fmt.Errorf("%s: no whole checkpoint is left: %w", dir, errors.Join(passed...))
	}
	return nil, "", nil, fmt.Errorf("%s: %w (%s holds none)", dir, ErrNoCheckpoint, filepath.Join(dir, checkpointsDir))
}

// prune removes all but the newest keep checkpoints.
func prune(dir string, keep int) error {
	steps, err := stepCheckpoints(dir)
	if err != nil {
		return err
	}
	for _, step := range steps[min(keep, len(steps)):] {
		err = errors.Join(err, os.Remove(filepath.Join(dir, checkpointsDir, stepCheckpoint(step))))
	}
	return err
}

// removeTemporaries clears away what a killed process had not finished writing.
// Only the owner of the run's lock may call it.
func removeTemporaries(dir string) error {
	var errs []error
	for _, pattern := range []string{"*.tmp-*", filepath.Join("*", "*.tmp-*")} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		errs = append(errs, err)
		for _, path := range found {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// setDamagedAside renames the checkpoints beyond the step that a run is
// continued from: they were damaged, or belong to a course that was left.
func setDamagedAside(dir string, step int) error {
	steps, err := stepCheckpoints(dir)
	for _, s := range steps {
		if s > step {
			path := filepath.Join(dir, checkpointsDir, stepCheckpoint(s))
			err = errors.Join(err, os.Rename(path, path+".damaged"))
		}
	}
	return err
}
