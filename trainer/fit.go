package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	steps      int // of the whole run, as planned: unreadable pictures may cost the last ones
	trainSize  int
	validSize  int
	device     torch.Device
	deviceName string
	model      models.Model
	optimizer  *optimizer
	training   []int // the training split
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
	saver      *saver    // nil where another process writes

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
	early := func(f *fit) { f.batches = f.train.EpochFrom(ctx, f.progress.Epoch, f.progress.Batch) }
	err = withFit(recipe, set, o, early, func(f *fit) error {
		f.Log.Info("training", "model", recipe.Model, "train_images", f.trainSize, "valid_images", f.validSize, "step", f.progress.Step,
			"steps", f.steps, "device", f.deviceName, "threads", torch.NumThreads(), "libtorch", torch.Library().Torch)
		if err := f.observe(); err != nil {
			return err
		}
		if f.Run != nil {
			f.saver = newSaver(f.Run.Dir, f.Saving, f.Log)
			defer f.saver.wait() //nolint:errcheck // it was said in the log
		}
		for f.progress.Epoch < recipe.Epochs && !f.patienceEnded() {
			err := f.epoch(ctx)
			if errors.Is(err, errRollback) {
				if err = f.rollback(err); err == nil {
					f.batches.Close()
					f.batches = f.train.EpochFrom(ctx, f.progress.Epoch, f.progress.Batch)
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
func withFit(recipe Recipe, set *data.Dataset, o Options, early func(*fit), use func(*fit) error) error {
	if err := recipe.Validate(); err != nil {
		return err
	}
	f := &fit{Options: o, recipe: recipe, set: set, skipped: map[int]error{}, began: time.Now()}
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
	if err := f.build(); err != nil {
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
	f.training, f.trainSize, f.validSize = train, len(train), len(valid)
	if f.train, err = f.trainLoader(f.progress.Epoch); err != nil {
		return err
	}
	f.steps = f.recipe.Epochs * f.train.Steps()
	f.train.SetUnreadable(f.progress.Unreadable)
	for _, index := range f.progress.Unreadable {
		f.skipped[index] = errors.New("found unreadable before the run was resumed")
	}
	f.valid, err = loader(f.recipe, f.set, f.Pictures, valid, augment.LoaderOptions{BatchSize: f.recipe.BatchSize, OnSkip: f.skip})
	return err
}

// closeData stops the workers and frees the batches.
func (f *fit) closeData() {
	if f.batches != nil {
		f.batches.Close()
	}
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
func (f *fit) build() (err error) {
	if f.device, f.deviceName, err = resolveDevice(f.recipe.Device); err != nil {
		return err
	}
	if err := useCPU(f.recipe); err != nil {
		return err
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
		f.model.Freeze(f.recipe.frozenAt(f.progress.Epoch, len(f.model.Stages())))
		f.optimizer = newOptimizer(f.model, f.recipe)
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
	err := errors.Join(c.loadModel(f.model), c.loadOptimizer(f.optimizer))
	f.World.restoreGenerators(f.device, withPrefix(c.tensors, generatorPrefix))
	return err
}

// epoch trains what is left of the current epoch, validates, and keeps a checkpoint.
func (f *fit) epoch(ctx context.Context) error {
	p := &f.progress
	began := time.Now()
	for _, w := range f.Watchers {
		w.EpochStarts(p.Epoch, f.recipe.Epochs, f.train.Steps())
	}
	f.beginPhase()
	if err := f.trainEpoch(ctx); err != nil {
		return f.stopped(ctx, began, err)
	}
	if p.Epoch+1 < f.recipe.Epochs { // its first batches are made while this one is validated
		f.batches.Close()
		if err := f.resize(p.Epoch, p.Epoch+1); err != nil {
			return err
		}
		f.batches = f.train.Epoch(ctx, p.Epoch+1)
	}
	evaluation, err := f.evaluate(ctx)
	if err != nil {
		return f.stopped(ctx, began, err)
	}
	return f.endEpoch(evaluation, time.Since(began).Seconds())
}

// evaluate measures the model on the validation split.
func (f *fit) evaluate(ctx context.Context) (*Evaluation, error) {
	var evaluation *Evaluation
	var err error
	f.optimizer.average.within(func() { evaluation, err = evaluate(ctx, f.model, f.device, f.set, f.valid.Epoch(ctx, 0)) })
	return evaluation, err
}

// endEpoch notes a finished epoch in the run folder.
func (f *fit) endEpoch(evaluation *Evaluation, seconds float64) error {
	p := &f.progress
	line := Epoch{
		Epoch: p.Epoch, TrainLoss: p.Smoothed.value(), ValidLoss: evaluation.Loss, Accuracy: evaluation.Accuracy,
		Seconds: p.EpochSeconds + seconds,
	}
	best := f.better(line, evaluation)
	p.History = append(p.History, line)
	p.Epoch, p.Batch, p.EpochSeconds = p.Epoch+1, 0, 0
	p.TotalSeconds += seconds
	f.evaluation = evaluation
	f.goOn(f.Run.writeHistory(p.History))
	if f.saver != nil && (best || f.saver.dueAtEnd(p.Epoch) || !f.saver.retryAt.IsZero()) {
		if err := f.save(best); err != nil {
			return err
		}
	}
	for _, w := range f.Watchers {
		w.EpochEnds(line)
	}
	return nil
}

// goOn says that a file of the run could not be written. The training does not
// end for it: what the file is to hold is in memory, too.
func (f *fit) goOn(err error) {
	if err != nil && time.Since(f.complained) >= f.Saving.Retry {
		f.complained = time.Now()
		f.Log.Warn("the run folder cannot be written; the training goes on and tries again", "reason", err)
	}
}

// save hands a checkpoint to the saver.
func (f *fit) save(best bool) error {
	head, tensors, err := f.snapshot()
	if err != nil {
		return err
	}
	f.saver.start(&saveJob{head, tensors, best})
	return nil
}

// trainEpoch takes one optimiser step for each batch of the epoch that is left.
func (f *fit) trainEpoch(ctx context.Context) error {
	for {
		waited := time.Now()
		batch, err := f.batches.Next()
		if err != nil {
			return ignoreEOF(err)
		}
		if err := f.asked(ctx); err != nil {
			batch.Release()
			return err
		}
		if f.avoided() {
			f.progress.LeftOut = append(f.progress.LeftOut, f.progress.Step)
			f.progress.Batch++
			f.progress.Step++
		} else {
			err = f.step(batch, waited, time.Since(waited))
		}
		batch.Release()
		if err == nil && f.saver != nil && f.saver.due(f.progress.Step) {
			err = f.save(false)
		}
		if err != nil {
			return err
		}
	}
}

// errAsked is how a request to stop ends the epoch.
var errAsked = errors.New("asked to stop")

// asked tells whether the training is to end before its next step.
func (f *fit) asked(ctx context.Context) error {
	if now := time.Now(); now.Sub(f.looked) >= flushEvery {
		f.looked = now
		if f.Run.takeStop() {
			return errAsked
		}
	}
	return ctx.Err()
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// step trains on one batch and tells the watchers.
func (f *fit) step(batch *augment.Batch, began time.Time, wait time.Duration) error {
	p := &f.progress
	lr, momentum := f.recipe.Rates(p.Step, f.steps)
	left := false
	loss, err := f.optimiseBatch(batch, lr, momentum, func(loss float64) bool {
		left = !isFinite(loss) || f.spoil != nil && f.spoil(p.Step)
		return !left
	})
	if err != nil {
		return fmt.Errorf("step %d: %w", p.Step, err)
	}
	if left {
		if err := f.notFinite(batch, loss, lr); err != nil {
			return err
		}
		p.Batch++
		p.Step++
		return nil
	}
	f.skipsInARow = 0
	if p.Step == 0 {
		p.FirstStep = time.Since(f.Started).Seconds()
	}
	seconds := time.Since(began).Seconds()
	smoothed := p.Smoothed.add(loss)
	record := Step{
		Step: p.Step, Epoch: p.Epoch, LearningRate: lr, Momentum: momentum, Loss: loss, SmoothedLoss: smoothed,
		ImagesPerSecond: float64(batch.N) / seconds, Seconds: seconds, DataWaitSeconds: wait.Seconds(),
	}
	p.TrainSeconds += seconds
	p.WaitSeconds += wait.Seconds()
	p.TrainedImages += batch.N
	p.Batch++
	p.Step++
	for _, w := range f.Watchers {
		w.StepEnds(record)
	}
	f.goOn(f.Run.addStep(record))
	f.health.seeLoss(f.Log, record.Step, len(f.set.Classes), loss)
	if err := f.tellLayers(record.Step); err != nil {
		return fmt.Errorf("activations of step %d: %w", record.Step, err)
	}
	return f.tellBatch(record.Step, batch)
}

// optimiseBatch takes one step, unless take refuses the batch's loss, and gives that loss.
func (f *fit) optimiseBatch(batch *augment.Batch, lr, momentum float64, take func(loss float64) bool) (loss float64, err error) {
	err = torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		buffers := f.buffersBefore()
		last := f.progress.Batch+1 == f.train.Steps()
		taken := true
		loss = optimise(f.model, f.optimizer, pictures(batch, f.device), targetOf(batch, f.device), lr, momentum, last, func(loss float64) bool {
			taken = take(loss)
			return taken
		})
		if !taken {
			f.restoreBuffers(buffers)
		}
	})
	return loss, err
}

// stopped ends a training early: when its context ended, with a checkpoint.
func (f *fit) stopped(ctx context.Context, began time.Time, err error) error {
	if !errors.Is(err, errAsked) && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		return err
	}
	seconds := time.Since(began).Seconds()
	f.progress.EpochSeconds += seconds
	f.progress.TotalSeconds += seconds
	f.goOn(f.Run.writeHistory(f.progress.History))
	if f.saver != nil {
		err := f.save(false)
		if err == nil {
			err = f.saver.wait()
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotSaved, err)
		}
	}
	return ErrStopped
}
