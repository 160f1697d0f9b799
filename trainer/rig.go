package trainer

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
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
// Fit does it for its first epoch, to be measured: its steps are Fit's own, and
// its predictions validation's. It locks the goroutine that made it to its
// thread until Close; no other may call its methods.
type Rig struct {
	recipe    Recipe
	scope     *torch.Scope
	device    torch.Device
	name      string
	model     models.Model
	optimizer *optimizer
	frozen    int
	drawn     torch.Tensor // pictures of a batch that lies on the device
	labels    torch.Tensor // and theirs, Long [N]
	training  bool
	steps     int
}

// NewRig loads libtorch and builds the recipe's network for so many classes.
func NewRig(recipe Recipe, classes int) (*Rig, error) {
	if err := recipe.Validate(); err != nil {
		return nil, err
	}
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	r := &Rig{recipe: recipe, scope: torch.NewScope()}
	if err := r.build(classes); err != nil {
		r.Close()
		return nil, fmt.Errorf("model %s: %w", recipe.Model, err)
	}
	return r, nil
}

func (r *Rig) build(classes int) (err error) {
	if r.device, r.name, err = resolveDevice(r.recipe.Device, nil); err != nil {
		return err
	}
	if err := useDevice(r.recipe, nil, r.device); err != nil {
		return err
	}
	caught := torch.Try(func() {
		torch.ManualSeed(r.recipe.Seed)
		if r.model, err = newModel(r.recipe, classes); err != nil {
			return
		}
		toDevice(r.model, r.device)
		precision := r.recipe.precision(r.device)
		r.model = lower(r.model, r.device, precision)
		r.frozen = r.recipe.frozenAt(0, len(r.model.Stages()))
		r.model.Freeze(r.frozen)
		r.training = true
		r.optimizer = newOptimizer(r.model, r.recipe)
		if precision == FP16 {
			r.optimizer.scaleLoss(r.device)
		}
		n, size := int64(r.recipe.BatchSize), int64(r.recipe.sizeAt(0))
		shape := []int64{n, size, size, 3}
		if inBytes(r.recipe, r.device) {
			r.drawn = torch.RandInt(0, 256, shape).CastTo(torch.Byte)
		} else {
			r.drawn = torch.Rand(shape, false).To(r.device, torch.Float)
		}
		r.drawn = r.drawn.Permute([]int64{0, 3, 1, 2})
		r.labels = torch.RandInt(0, int64(classes), []int64{n}).To(r.device, torch.Long)
	})
	if caught != nil {
		return caught
	}
	return err
}

// Close frees the network, the optimiser and the batch.
func (r *Rig) Close() {
	r.optimizer.Close()
	r.scope.Close()
}

// Device is where the rig computes: cpu or cuda:N.
func (r *Rig) Device() string { return r.name }

// Frozen is how many stages of the network are not trained.
func (r *Rig) Frozen() int { return r.frozen }

// Synchronize waits until the device has done all that it was given.
func (r *Rig) Synchronize() error { return torch.Try(func() { torch.Synchronize(r.device) }) }

// Train takes one training step on a batch; nil stands for random pictures that
// lie on the device already. mark, where it is given, is called at the end of
// each part, once the device has done it; that takes a device that works
// asynchronously longer than the step itself.
func (r *Rig) Train(batch *augment.Batch, mark func(Part)) error {
	return torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		r.mode(true)
		done := r.marker(mark)
		x, t := r.drawn, target{labels: r.labels}
		if batch != nil {
			x, t = pictures(batch, r.device), targetOf(batch, r.device)
		}
		done(PartData)
		lr, momentum := r.recipe.Rates(r.steps%rigSteps, rigSteps)
		r.optimizer.at(r.steps%rigSteps, rigSteps)
		r.steps++
		optimise(marked{r.model, done}, r.optimizer, x, t, lr, momentum, nil, false, func(float64) bool {
			done(PartBackward)
			return true
		})
		done(PartOptimizer)
	})
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
		torch.Synchronize(r.device)
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
			x = pictures(batch, r.device)
		}
		done(PartData)
		torch.NoGrad(func() { r.model.Logits(x) })
		done(PartForward)
	})
}

func (r *Rig) mode(training bool) {
	if r.training != training {
		r.model.Train(training)
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
