package trainer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// Options are what a run needs beside its recipe; none changes what it computes.
type Options struct {
	// Run is the folder to write; the caller closes it.
	Run *Run
	// Pictures gives the decoded pictures of the set, kept between epochs and runs.
	Pictures augment.Source
	// Resume continues from a checkpoint of the same recipe and set; nil starts afresh.
	Resume *Checkpoint
	// CarryFrom is a finished run to start from, where layers' names and shapes
	// fit; "" draws all weights.
	CarryFrom string
	// Watchers follow the training.
	Watchers []Watcher
	// Saving says when checkpoints are written; the zero value is DefaultSaving.
	Saving Saving
	// OnNaN is what to do about a loss that is not finite: one of OnNaNNames, or "" for OnNaNStop.
	OnNaN string
	// World is the processes that train together; nil is this one alone.
	World *World
	// Log takes warnings: pictures left out, checkpoints that could not be written.
	Log *slog.Logger
	// Started is when the process began, for Result.FirstStepSeconds.
	Started time.Time
	// Commit and Command are noted in the result.
	Commit  string
	Command []string

	spoil func(step int) bool // tests: makes the loss of a step NaN
	fits  func(n int) error   // tests: parting's
	// tests: what else is for GPUs alone
	lateOnCPU     int
	residentOnCPU bool
	residentLimit int64 // bytes; 0: by the device
	recorder      recorder
}

// ErrStopped tells that the context ended, or the file "stop" appeared in the
// run folder, and a checkpoint holds the training so far.
var ErrStopped = errors.New("stopped; a checkpoint holds the training so far")

// ErrNotSaved tells that a training was stopped and its last steps are lost.
var ErrNotSaved = errors.New("stopped, and the checkpoint could not be written")

// A fit is one training in progress. All its tensors live in one scope, on the
// thread that Fit locked.
type fit struct {
	Options
	recipe     Recipe
	set        *data.Dataset
	train      *augment.Loader
	valid      *augment.Loader
	steps      int   // of the whole run, as planned: unreadable pictures may cost the last ones
	training   []int // the training split, over all processes
	validation []int // the pictures held out, in the split's order
	device     torch.Device
	deviceName string
	model      models.Model
	optimizer  *optimizer
	reducer    *torch.Reducer // nil for a process alone
	averaged   int            // stages that were frozen when the reducer was made
	progress   progress
	batches    *augment.Iterator // of the epoch being trained
	skipMutex  sync.Mutex
	skipped    map[int]error // pictures that could not be decoded, by index
	evaluation *Evaluation   // of the last epoch
	began      time.Time
	looked     time.Time    // for a request to stop
	observer   *nn.Observer // nil: nobody wants activation statistics
	health     health
	complained time.Time // about the run folder
	parting    parting

	// Of a training that runs late; see late.go, graph.go, feed.go.
	late         int
	queue        []*lateStep
	unsettled    float64 // seconds that the queue's steps have taken
	recording    *recording
	steady       bool          // the momentum stays, and the optimiser is recorded, too
	pictureBlock *pictureBlock // nil: pictures are streamed
	saver        *saver        // nil where another process writes

	// About losses that were not finite; see nan.go.
	skipsInARow, rollbacks int
	avoid                  []int // steps to leave out
}

// progress is how far a training is: what a checkpoint keeps beside tensors.
type progress struct {
	Epoch         int          `json:"epoch"`          // being trained
	Batch         int          `json:"batch"`          // next of the epoch
	Step          int          `json:"step"`           // next of the run
	History       []Epoch      `json:"history"`        // of finished epochs
	Smoothed      smoothedLoss `json:"smoothed_loss"`  //
	Best          float64      `json:"best_metric"`    // over finished epochs; the larger the better
	SinceBest     int          `json:"since_best"`     // finished epochs after the best
	Unreadable    []int        `json:"unreadable"`     // pictures found so in training, by index
	EpochSeconds  float64      `json:"epoch_seconds"`  // of this epoch, before a resume
	TrainSeconds  float64      `json:"train_seconds"`  // training halves, all epochs
	WaitSeconds   float64      `json:"wait_seconds"`   // of TrainSeconds
	TrainedImages int          `json:"trained_images"` //
	TotalSeconds  float64      `json:"total_seconds"`  //
	FirstStep     float64      `json:"first_step"`     // seconds after the process began
	LeftOut       []int        `json:"left_out"`       // steps whose loss was not finite
}

// Fit trains recipe's model on set and writes the run folder. It is the only
// training loop. A context that ends leaves a checkpoint and ErrStopped; an
// error leaves the checkpoints written so far. The calling goroutine is locked
// to its thread meanwhile.
func Fit(ctx context.Context, recipe Recipe, set *data.Dataset, o Options) (result *Result, err error) {
	// The first batches are decoded while libtorch is loaded and the model built.
	early := func(f *fit) { f.batches = f.train.EpochFrom(f.loaderContext(ctx), f.progress.Epoch, f.progress.Batch) }
	err = withFit(ctx, recipe, set, o, early, func(f *fit) error {
		defer f.leaveTraining()
		if err := f.joinTraining(); err != nil {
			return err
		}
		f.Log.Info("training", "model", recipe.Model, "train_images", len(f.training), "valid_images", len(f.validation), "step", f.progress.Step,
			"steps", f.steps, "device", f.deviceName, "precision", f.recipe.precision(f.device), "processes", f.World.Size(), "threads", torch.NumThreads(), "libtorch", torch.Library().Torch)
		if err := f.observe(); err != nil {
			return err
		}
		if err := errors.Join(f.beginLate(), f.reload(ctx)); err != nil {
			return err
		}
		defer f.dropLate()
		if f.Run != nil {
			f.saver = newSaver(f.Run.Dir, f.Saving, f.Log)
			defer f.saver.wait() //nolint:errcheck // it was said in the log
		}
		for f.progress.Epoch < recipe.Epochs && !f.patienceEnded() {
			err := f.epoch(ctx)
			if errors.Is(err, errRollback) {
				if err = f.rollback(err); err == nil {
					f.batches.Close()
					f.batches = f.train.EpochFrom(f.loaderContext(ctx), f.progress.Epoch, f.progress.Batch)
				}
			}
			if err != nil {
				return err
			}
		}
		result, err = f.finish(ctx)
		return err
	})
	return result, err
}

// withFit opens data, libtorch, model and optimiser for use, on a thread and in
// a scope that end with it. early is called once the loaders are there.
func withFit(ctx context.Context, recipe Recipe, set *data.Dataset, o Options, early func(*fit), use func(*fit) error) error {
	if err := recipe.Validate(); err != nil {
		return err
	}
	f := &fit{Options: o, recipe: recipe, set: set, skipped: map[int]error{}, began: time.Now(), parting: parting{fits: o.fits}}
	if o.Saving == (Saving{}) {
		f.Saving = DefaultSaving()
	}
	if o.Resume != nil {
		f.progress = o.Resume.progress
	}
	defer f.closeData()
	if err := f.openData(); err != nil {
		return err
	}
	early(f)
	if err := torch.LoadLibrary(); err != nil {
		return err
	}
	scope := torch.NewScope()
	defer scope.Close()
	defer func() { f.optimizer.Close() }()
	if err := f.build(ctx); err != nil {
		return fmt.Errorf("model %s: %w", recipe.Model, err)
	}
	return use(f)
}

// openData splits the set and makes the two loaders.
func (f *fit) openData() error {
	train, valid, err := split(f.set, f.recipe)
	if err != nil {
		return err
	}
	f.training, f.validation = train, valid
	if f.train, err = f.trainLoader(f.progress.Epoch); err != nil {
		return err
	}
	f.steps = f.recipe.Epochs * f.train.Steps()
	f.train.SetUnreadable(f.progress.Unreadable)
	for _, index := range f.progress.Unreadable {
		f.skipped[index] = errors.New("found unreadable before the run was resumed")
	}
	f.valid, err = f.loaderOf(f.recipe, valid, false)
	return err
}

// closeData stops the workers and frees the batches.
func (f *fit) closeData() {
	if f.batches != nil {
		f.batches.Close()
	}
	f.closeLoaders()
}

func (f *fit) closeLoaders() {
	for _, loader := range []*augment.Loader{f.train, f.valid} {
		if loader != nil {
			loader.Close()
		}
	}
}

// skip notes a picture that could not be decoded; loaders call it from their workers.
func (f *fit) skip(index int, reason error) {
	f.skipMutex.Lock()
	defer f.skipMutex.Unlock()
	if _, known := f.skipped[index]; known {
		return
	}
	f.skipped[index] = reason
	f.Log.Warn("picture left out", "path", f.set.Samples[index].Path, "reason", reason)
}

// build makes the model and its optimiser, from fresh draws or the checkpoint.
func (f *fit) build(ctx context.Context) (err error) {
	if f.device, f.deviceName, err = resolveDevice(f.recipe.Device, f.World); err != nil {
		return err
	}
	if err := useDevice(f.recipe, f.World, f.device); err != nil {
		return err
	}
	if p := f.recipe.precision(f.device); !f.device.IsCUDA() && (p == BF16 || p == FP16) {
		f.Log.Warn("16 bits on the CPU are for trying out: they are slow, and libtorch 2.11 leaves garbage in bf16 gradients of weights that see only " +
			"padding, as where a strided convolution is given one pixel")
	}
	if why := torch.Library().CUDAKernels; f.device.IsCUDA() && why != "" {
		f.Log.Warn("libtorch alone computes on the GPU: our kernels, graphs and resident pictures are not in use", "reason", why)
	}
	caught := torch.Try(func() {
		torch.ManualSeed(f.recipe.Seed)
		if f.model, err = newModel(f.recipe, len(f.set.Classes)); err != nil {
			return
		}
		if f.CarryFrom != "" && f.Resume == nil {
			err = carryWeights(filepath.Join(f.CarryFrom, modelFile), f.model)
		}
		if f.recipe.Pretrained != "" && f.Resume == nil && err == nil {
			err = f.loadPretrained()
		}
		if err != nil {
			return
		}
		toDevice(f.model, f.device)
		if err = f.whiten(ctx); err != nil {
			return
		}
		f.model = lower(f.model, f.device, f.recipe.precision(f.device))
		f.model.Freeze(f.recipe.frozenAt(f.progress.Epoch, len(f.model.Stages())))
		f.optimizer = newOptimizer(f.model, f.recipe)
		if f.recipe.precision(f.device) == FP16 {
			f.optimizer.scaleLoss(f.device)
		}
		f.optimizer.criterion = newCriterion(f.recipe.Method, f.set, f.training, f.device)
		if f.Resume != nil && err == nil {
			err = f.restore(f.Resume)
		}
	})
	return errors.Join(caught, err)
}

// restore takes every tensor of the training from a checkpoint.
func (f *fit) restore(c *Checkpoint) error {
	for _, change := range c.otherMachine(f.machine()) {
		f.Log.Warn("the last bits of the result may differ from an undisturbed run's", "since_the_checkpoint", change)
	}
	f.recording.close()
	f.recording = nil // it writes to what the optimiser had
	err := errors.Join(c.loadModel(f.model), c.loadOptimizer(f.optimizer))
	f.World.restoreGenerators(f.device, withPrefix(c.tensors, generatorPrefix))
	return err
}
