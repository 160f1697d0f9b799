package trainer

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/models"
)

// A checkpoint is one sealed file of tensors under these prefixes. New state of
// the training goes under a prefix of its own.
const (
	modelPrefix     = "model."
	optimizerPrefix = "optimizer."
	generatorPrefix = "generator." // then the rank and the device: "generator.0.cpu"
)

// A header is what a model or checkpoint file says beside its tensors.
type header struct {
	Recipe      Recipe    `json:"recipe"`
	Classes     []string  `json:"classes"`
	Fingerprint string    `json:"fingerprint"` // of the set of pictures
	Progress    *progress `json:"progress,omitempty"`
	Commit      string    `json:"commit"`
	World       int       `json:"world"` // processes that train together
	Machine     machine   `json:"machine"`
}

// A machine is what decides the last bits of a result beside recipe and code.
type machine struct {
	Libtorch     string `json:"libtorch"`
	Device       string `json:"device"`
	Threads      int    `json:"threads"`
	Instructions string `json:"instructions"` // of our kernels
	Go           string `json:"go"`
}

func (f *fit) header() header {
	return header{
		Recipe: f.recipe, Classes: f.set.Classes, Fingerprint: fingerprint(f.set), Commit: f.Commit, World: f.World.Size(),
		Machine: f.machine(),
	}
}

func (f *fit) machine() machine {
	return machine{torch.Library().Torch, f.deviceName, torch.NumThreads(), torch.KernelInstructions(), runtime.Version()}
}

// A Checkpoint is a training to be continued. Its tensors belong to the scope
// that was open when it was read.
type Checkpoint struct {
	header
	// Passed are the errors of newer checkpoints that were damaged, for which
	// this one stands in.
	Passed []error

	path     string
	progress progress
	tensors  map[string]torch.Tensor
}

// Recipe is the recipe the checkpoint was trained with.
func (c *Checkpoint) Recipe() Recipe { return c.header.Recipe }

// Step is the next step of the run.
func (c *Checkpoint) Step() int { return c.progress.Step }

// Path is the file that the checkpoint was read from.
func (c *Checkpoint) Path() string { return c.path }

// state gathers every tensor of the training that a checkpoint holds.
func (f *fit) state() (map[string]torch.Tensor, error) {
	tensors := map[string]torch.Tensor{}
	for name, t := range f.model.StateDict() {
		tensors[modelPrefix+name] = t
	}
	for name, t := range f.optimizer.State() {
		tensors[optimizerPrefix+name] = t
	}
	generators, err := f.World.gatherGenerators(f.device)
	for name, t := range generators {
		tensors[generatorPrefix+name] = t
	}
	return tensors, err
}

// snapshot copies the training as it is, for a checkpoint.
func (f *fit) snapshot() (header, map[string]safetensors.Data, error) {
	head := f.header()
	now := f.progress
	now.Unreadable = f.train.Unreadable()
	head.Progress = &now
	var tensors map[string]safetensors.Data
	var err error
	caught := torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		var state map[string]torch.Tensor
		if state, err = f.state(); err == nil {
			tensors, err = toHost(state)
		}
	})
	return head, tensors, errors.Join(caught, err)
}

// saveModel writes the weights alone, under PyTorch's state_dict names.
func (f *fit) saveModel() error {
	var err error
	caught := torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		var tensors map[string]safetensors.Data
		var copied error
		f.optimizer.average.within(func() { tensors, copied = toHost(f.model.StateDict()) })
		if err = copied; err != nil {
			return
		}
		var content *sealed
		if content, err = seal(tensors, f.header()); err == nil {
			err = content.save(f.Run.path(modelFile))
		}
	})
	return errors.Join(caught, err)
}

func (c *Checkpoint) loadModel(model models.Model) error {
	return loadState(c.path, model, withPrefix(c.tensors, modelPrefix))
}

func (c *Checkpoint) loadOptimizer(optimizer *optimizer) error {
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
