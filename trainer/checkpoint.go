package trainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// The checkpoints of a run, in its checkpoints folder.
const (
	lastCheckpoint = "last.safetensors"
	bestCheckpoint = "best.safetensors"
)

// A checkpoint is one safetensors file: these prefixes before the tensors'
// names, and a header under the metadata key "orrery".
const (
	modelPrefix     = "model."
	optimizerPrefix = "optimizer."
	generatorTensor = "generator"
	headerKey       = "orrery"
)

// A header is what a model or checkpoint file says beside its tensors.
type header struct {
	Recipe      Recipe    `json:"recipe"`
	Classes     []string  `json:"classes"`
	Fingerprint string    `json:"fingerprint"` // of the set of pictures
	Progress    *progress `json:"progress,omitempty"`
	Libtorch    string    `json:"libtorch"`
	Commit      string    `json:"commit"`
}

func (f *fit) header() header {
	return header{
		Recipe: f.recipe, Classes: f.set.Classes, Fingerprint: fingerprint(f.set), Libtorch: torch.Library().Torch, Commit: f.Commit,
	}
}

// A Checkpoint is a training to be continued. Its tensors belong to the scope
// that was open when it was read.
type Checkpoint struct {
	header
	path     string
	progress progress
	tensors  map[string]torch.Tensor
}

// Recipe is the recipe the checkpoint was trained with.
func (c *Checkpoint) Recipe() Recipe { return c.header.Recipe }

// Step is the next step of the run.
func (c *Checkpoint) Step() int { return c.progress.Step }

// checkpoint saves the training as last and, when it is, as best. A disk that
// refuses does not end the training: the older checkpoint is still there.
func (f *fit) checkpoint(best bool) {
	names := []string{lastCheckpoint}
	if best {
		names = append(names, bestCheckpoint)
	}
	for _, name := range names {
		if err := f.saveCheckpoint(name); err != nil {
			f.Log.Warn("checkpoint not written; training goes on", "checkpoint", name, "reason", err)
		}
	}
}

func (f *fit) saveCheckpoint(name string) error {
	head := f.header()
	head.Progress = &f.progress
	head.Progress.Unreadable = f.train.Unreadable()
	path := filepath.Join(f.Run.Dir, checkpointsDir, name)
	var err error
	caught := torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		tensors := map[string]torch.Tensor{generatorTensor: torch.RNGState()}
		for name, t := range f.model.StateDict() {
			tensors[modelPrefix+name] = t.To(cpu())
		}
		for name, t := range f.optimizer.State() {
			tensors[optimizerPrefix+name] = t.To(cpu())
		}
		err = saveTensors(path, tensors, head)
	})
	return errors.Join(caught, err)
}

// saveModel writes the weights alone, under PyTorch's state_dict names.
func (f *fit) saveModel() error {
	var err error
	caught := torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		tensors := map[string]torch.Tensor{}
		for name, t := range f.model.StateDict() {
			tensors[name] = t.To(cpu())
		}
		err = saveTensors(f.Run.path(modelFile), tensors, f.header())
	})
	return errors.Join(caught, err)
}

func saveTensors(path string, tensors map[string]torch.Tensor, head header) error {
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return safetensors.Save(path, tensors, map[string]string{"format": "pt", headerKey: string(text)})
}

// readTensors loads a file that saveTensors wrote.
func readTensors(path string) (map[string]torch.Tensor, header, error) {
	var head header
	if err := torch.LoadLibrary(); err != nil {
		return nil, head, err
	}
	tensors, metadata, err := safetensors.LoadWithMetadata(path)
	if err != nil {
		return nil, head, err
	}
	text, ok := metadata[headerKey]
	if !ok {
		return nil, head, fmt.Errorf("%s: no Orrery header; it was not written by orrery train", path)
	}
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return nil, head, fmt.Errorf("%s: its Orrery header cannot be read: %w", path, err)
	}
	return tensors, head, nil
}

// ReadCheckpoint loads the last checkpoint of the run in dir. A scope must be
// open; the checkpoint lives as long as it.
func ReadCheckpoint(dir string) (*Checkpoint, error) {
	path := filepath.Join(dir, checkpointsDir, lastCheckpoint)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: no checkpoint to resume from (%s is missing)", dir, path)
	}
	tensors, head, err := readTensors(path)
	if err != nil {
		return nil, err
	}
	if head.Progress == nil {
		return nil, fmt.Errorf("%s: a model, not a checkpoint", path)
	}
	return &Checkpoint{header: head, path: path, progress: *head.Progress, tensors: tensors}, nil
}

// Fits refuses a set of pictures or a recipe other than the checkpoint's,
// naming what differs.
func (c *Checkpoint) Fits(set *data.Dataset, recipe Recipe) error {
	if !slices.Equal(c.Classes, set.Classes) {
		return fmt.Errorf("%s was trained on the classes %s, but %s has %s", c.path, strings.Join(c.Classes, ", "), set.Source, strings.Join(set.Classes, ", "))
	}
	if c.Fingerprint != fingerprint(set) {
		return fmt.Errorf("%s was trained on other pictures than %s holds now; start a new run, or restore the set", c.path, set.Source)
	}
	if changed := recipeChanges(c.header.Recipe, recipe); len(changed) > 0 {
		return fmt.Errorf("%s was trained with another recipe: %s", c.path, strings.Join(changed, "; "))
	}
	return nil
}

// recipeChanges lists the keys on which two recipes differ, where it matters
// to what is computed.
func recipeChanges(old, now Recipe) []string {
	now.Data, now.Workers, now.Device, now.AMP = old.Data, old.Workers, old.Device, old.AMP
	keys, was := keysAndValues(old)
	_, is := keysAndValues(now)
	var changes []string
	for i, key := range keys {
		if was[i] != is[i] {
			changes = append(changes, fmt.Sprintf("%s was %s, is %s", key, was[i], is[i]))
		}
	}
	return changes
}

func (c *Checkpoint) loadModel(model models.Model) error {
	return loadState(c.path, model, withPrefix(c.tensors, modelPrefix))
}

func (c *Checkpoint) loadOptimizer(optimizer torch.Optimizer) error {
	if state, ok := c.tensors[generatorTensor]; ok {
		torch.SetRNGState(state)
	}
	if err := optimizer.SetState(withPrefix(c.tensors, optimizerPrefix)); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}

func withPrefix(tensors map[string]torch.Tensor, prefix string) map[string]torch.Tensor {
	found := map[string]torch.Tensor{}
	for name, t := range tensors {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			found[rest] = t
		}
	}
	return found
}

// loadState copies tensors into the model and refuses a missing, unknown or
// wrongly shaped one.
func loadState(path string, model models.Model, tensors map[string]torch.Tensor) error {
	if err := model.SetStateDict(tensors); err != nil {
		return fmt.Errorf("%s was saved from another network: %w", path, err)
	}
	return nil
}
