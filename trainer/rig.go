package trainer

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// A Part is a stretch of a step.
type Part int

// The parts of a step, in their order.
const (
	PartData      Part = iota // taking the batch to the device
	PartForward               // through the network
	PartBackward              // the loss, and the gradients of it
	PartOptimizer             // the change of the weights
)

// A Rig is a recipe's network and optimiser, set up on the recipe's device as
// Fit does it for its first epoch, to be measured: its steps are Fit's own, late
// and recorded where Fit's are, and its predictions validation's. It locks the
// goroutine that made it to its thread until Close; no other may call its methods.
type Rig struct {
	fit      *fit // without data
	scope    *torch.Scope
	frozen   int
	drawn    torch.Tensor // pictures of a batch that lies on the device
	labels   torch.Tensor // and theirs, Long [N]
	training bool
	way      Way // of the last step
}

// NewRig loads libtorch and builds the recipe's network for so many classes. Of
// the options none but the log counts, which may be nil.
func NewRig(recipe Recipe, classes int, o Options) (*Rig, error) {
	if err := recipe.Validate(); err != nil {
		return nil, err
	}
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Rig{scope: torch.NewScope()}
	r.fit = &fit{Options: o, recipe: recipe, set: &data.Dataset{Classes: make([]string, classes)}, steps: rigSteps}
	if err := r.build(classes); err != nil {
		r.Close()
		return nil, fmt.Errorf("model %s: %w", recipe.Model, err)
	}
	return r, nil
}

func (r *Rig) build(classes int) (err error) {
	f := r.fit
	recipe := f.recipe
	if f.device, f.deviceName, err = resolveDevice(recipe.Device, nil); err != nil {
		return err
	}
	if err := useDevice(recipe, nil, f.device); err != nil {
		return err
	}
	caught := torch.Try(func() {
		torch.ManualSeed(recipe.Seed)
		if f.model, err = newModel(recipe, classes); err != nil {
			return
		}
		toDevice(f.model, f.device)
		precision := recipe.precision(f.device)
		f.model = lower(f.model, f.device, precision)
		r.frozen = recipe.frozenAt(0, len(f.model.Stages()))
		f.model.Freeze(r.frozen)
		r.training = true
		f.optimizer = newOptimizer(f.model, recipe)
		if precision == FP16 {
			f.optimizer.scaleLoss(f.device)
		}
		n, size := int64(recipe.BatchSize), int64(recipe.sizeAt(0))
		shape := []int64{n, size, size, 3}
		if inBytes(recipe, f.device) {
			r.drawn = torch.RandInt(0, 256, shape).CastTo(torch.Byte)
		} else {
			r.drawn = torch.Rand(shape, false).To(f.device, torch.Float)
		}
		r.drawn = r.drawn.Permute([]int64{0, 3, 1, 2})
		r.labels = torch.RandInt(0, int64(classes), []int64{n}).To(f.device, torch.Long)
	})
	if caught != nil || err != nil {
		return errors.Join(caught, err)
	}
	return f.beginLate()
}

// Close frees the network, the optimiser and the batch.
func (r *Rig) Close() {
	r.fit.dropLate()
	r.fit.recording.close()
	r.fit.optimizer.Close()
	r.scope.Close()
}

// Device is where the rig computes: cpu or cuda:N.
func (r *Rig) Device() string { return r.fit.deviceName }

// Way is how the last training step was taken.
func (r *Rig) Way() Way { return r.way }

// Frozen is how many stages of the network are not trained.
func (r *Rig) Frozen() int { return r.frozen }

// Synchronize waits until the device has done all that it was given.
func (r *Rig) Synchronize() error {
	if err := r.fit.settleAll(); err != nil {
		return err
	}
	return torch.Try(func() { torch.Synchronize(r.fit.device) })
}

// Train takes one training step on a batch; nil stands for random pictures that
// lie on the device already. Without mark it is taken as Fit takes it on the
// device, which on a GPU waits for a few steps at once, and keeps a batch until
// then, emptying the caller's. mark, where it is given, is called at the end of
// each part, once the device has done it; that takes a device that works
// asynchronously longer than the step itself.
func (r *Rig) Train(batch *augment.Batch, mark func(Part)) error {
	if r.fit.progress.Step == rigSteps {
		r.fit.progress.Step = 0
	}
	if r.fit.late > 0 && mark == nil {
		return r.trainLate(batch)
	}
	if err := r.fit.settleAll(); err != nil {
		return err
	}
	r.way = Way{}
	return torch.Try(func() {
		f := r.fit
		scope := torch.NewScope()
		defer scope.Close()
		r.mode(true)
		done := r.marker(mark)
		x, t := r.drawn, target{labels: r.labels}
		if batch != nil {
			x, t = pictures(batch, f.device), targetOf(batch, f.device)
		}
		done(PartData)
		step := f.progress.Step
		lr, momentum := f.recipe.Rates(step, rigSteps)
		f.optimizer.at(step, rigSteps)
		f.progress.Step++
		optimise(marked{f.model, done}, f.optimizer, x, t, lr, momentum, nil, false, func(float64) bool {
			done(PartBackward)
			return true
		})
		done(PartOptimizer)
	})
}

// trainLate asks for a step.
func (r *Rig) trainLate(batch *augment.Batch) error {
	f, began := r.fit, time.Now()
	if err := torch.Try(func() { r.mode(true) }); err != nil {
		return err
	}
	s := &lateStep{images: f.recipe.BatchSize}
	input := func() (torch.Tensor, target) { return r.drawn, target{labels: r.labels} }
	if batch != nil {
		s.images, s.batch = batch.N, *batch
		*batch = augment.Batch{}
		input = func() (torch.Tensor, target) { return f.feed(&s.batch), targetOf(&s.batch, f.device) }
	}
	err := f.enqueue(s, began, 0, false, input)
	r.way = s.record.Way
	return err
}

// rigSteps is how long a training the steps of a rig stand for, again and again.
const rigSteps = 1000

// marked is a model that tells when it has gone forward.
type marked struct {
	models.Model
	done func(Part)
}

func (m marked) Logits(x torch.Tensor) torch.Tensor {
	logits := m.Model.Logits(x)
	m.done(PartForward)
	return logits
}

func (r *Rig) marker(mark func(Part)) func(Part) {
	if mark == nil {
		return func(Part) {}
	}
	return func(p Part) {
		torch.Synchronize(r.fit.device)
		mark(p)
	}
}

// Predict takes a batch forward in evaluation mode, without gradients; batch and
// mark are as in Train.
func (r *Rig) Predict(batch *augment.Batch, mark func(Part)) error {
	return torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		r.mode(false)
		done := r.marker(mark)
		x := r.drawn
		if batch != nil {
			x = pictures(batch, r.fit.device)
		}
		done(PartData)
		torch.NoGrad(func() { r.fit.model.Logits(x) })
		done(PartForward)
	})
}

func (r *Rig) mode(training bool) {
	if r.training != training {
		r.fit.model.Train(training)
		r.training = training
	}
}

// Summary tells what the recipe's network is made of, at the size of its pictures.
func Summary(recipe Recipe, classes int) (*models.Summary, error) {
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	scope := torch.NewScope()
	defer scope.Close()
	model, err := newModel(recipe, classes)
	if err != nil {
		return nil, err
	}
	return models.Summarize(model, recipe.sizeAt(0))
}
