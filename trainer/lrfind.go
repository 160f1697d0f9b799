package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
)

// fastai's lr_find: findSteps steps at rates that grow from findFirst by
// findRatio over all of them; suggestions look at losses[findSkipStart:-findSkipEnd].
const (
	findSteps     = 100
	findFirst     = 1e-7
	findRatio     = 1e8
	findStop      = 4.0 // times the best smoothed loss ends the search
	findSkipStart = findSteps / 10
	findSkipEnd   = 5
)

// An LRFind is the outcome of the learning-rate finder.
type LRFind struct {
	// Suggestions by name, valley, slide, steep and minimum; one that the curve
	// is too short for is missing.
	Suggestions map[string]float64 `json:"suggestions"`
	// Points are learning rate and smoothed loss of each step; the rates ascend.
	Points [][2]float64 `json:"points"`
}

// Rate is the default suggestion.
func (l *LRFind) Rate() (float64, error) {
	rate, ok := l.Suggestions[DefaultSuggestion]
	if !ok {
		return 0, fmt.Errorf("the learning-rate finder saw only %d steps before the loss exploded, too few to suggest a rate; give one with --lr", len(l.Points))
	}
	return rate, nil
}

// FindLR trains recipe's model on set for up to 100 steps at growing rates, as
// fastai's lr_find does, and suggests a rate. Nothing is written: o needs no Run.
// It follows the recipe but for the rate and the schedule: momentum stays 0.9.
func FindLR(ctx context.Context, recipe Recipe, set *data.Dataset, o Options) (found *LRFind, err error) {
	err = withFit(ctx, recipe, set, o, func(*fit) {}, func(f *fit) error {
		found, err = f.findLR(ctx)
		return err
	})
	return found, err
}

// findLR is the mock training. Model, optimiser and generator are left as they were.
func (f *fit) findLR(ctx context.Context) (found *LRFind, err error) {
	keep, err := f.remember()
	if err != nil {
		return nil, err
	}
	batches := &endless{loader: f.train}
	defer batches.close()
	for _, w := range f.Watchers {
		w.EpochStarts(0, 1, findSteps)
	}
	found, err = searchRates(func(step int, rate float64) (float64, error) {
		batch, err := batches.next(ctx)
		if err != nil {
			return 0, err
		}
		defer batch.Release()
		return f.optimiseBatch(batch, rate, flatMomentum, nil, alwaysOwn)
	}, f.Watchers)
	return found, errors.Join(err, keep.restore())
}

// searchRates calls step with one growing rate after the other; it gives the
// loss from before the step.
func searchRates(step func(step int, rate float64) (float64, error), watchers []Watcher) (*LRFind, error) {
	var smoothed smoothedLoss
	best := math.Inf(1)
	found := &LRFind{}
	for i := range findSteps {
		rate := findFirst * math.Pow(findRatio, float64(i)/findSteps)
		loss, err := step(i, rate)
		if err != nil {
			return nil, fmt.Errorf("step %d of the learning-rate finder: %w", i, err)
		}
		value := smoothed.add(loss)
		if math.IsNaN(value) || math.IsInf(value, 0) {
			found.suggest(true)
			return found, nil
		}
		found.Points = append(found.Points, [2]float64{rate, value})
		for _, w := range watchers {
			w.StepEnds(Step{Step: i, LearningRate: rate, Momentum: flatMomentum, Loss: loss, SmoothedLoss: value})
		}
		best = min(best, value)
		if value > findStop*best {
			break
		}
	}
	found.suggest(false)
	return found, nil
}

// suggest fills in the suggestions. After an explosion fastai goes on to its
// last step with losses that are no numbers, so that its cut of the end takes those.
func (l *LRFind) suggest(exploded bool) {
	end := len(l.Points) - findSkipEnd
	if exploded {
		end = min(len(l.Points), findSteps-findSkipEnd)
	}
	var rates, losses []float64
	for _, p := range l.Points[min(findSkipStart, max(end, 0)):max(end, 0)] {
		rates, losses = append(rates, p[0]), append(losses, p[1])
	}
	l.Suggestions = map[string]float64{}
	for _, s := range suggestions {
		if rate, ok := s.choose(rates, losses); ok {
			l.Suggestions[s.name] = rate
		}
	}
}

// endless gives the training batches of one epoch after the other.
type endless struct {
	loader *augment.Loader
	epoch  int
	it     *augment.Iterator
}

func (e *endless) next(ctx context.Context) (*augment.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if e.it == nil {
			e.it = e.loader.Epoch(ctx, e.epoch)
		}
		batch, err := e.it.Next()
		if !errors.Is(err, io.EOF) {
			return batch, err
		}
		e.close()
		e.epoch++
	}
}

func (e *endless) close() {
	if e.it != nil {
		e.it.Close()
		e.it = nil
	}
}

// A memory holds what a mock training changes.
type memory struct {
	f                        *fit
	model, optimizer         map[string]torch.Tensor
	generator, cudaGenerator torch.Tensor
}

// remember copies the model's and the optimiser's state and the generators'.
func (f *fit) remember() (*memory, error) {
	m := &memory{f: f}
	return m, torch.Try(func() {
		m.model, m.optimizer = cloned(f.model.StateDict()), cloned(f.optimizer.State())
		m.generator = torch.RNGState()
		if f.device.IsCUDA() {
			m.cudaGenerator = torch.RNGState(f.device)
		}
	})
}

func cloned(tensors map[string]torch.Tensor) map[string]torch.Tensor {
	copies := maps.Clone(tensors)
	for name, t := range copies {
		copies[name] = t.Detach().Clone()
	}
	return copies
}

// restore puts everything back and drops the gradients.
func (m *memory) restore() error {
	var err error
	caught := torch.Try(func() {
		m.f.optimizer.ZeroGrad()
		err = errors.Join(m.f.model.SetStateDict(m.model), m.f.optimizer.SetState(m.optimizer))
		torch.SetRNGState(m.generator)
		if m.cudaGenerator.Defined() {
			torch.SetRNGState(m.cudaGenerator, m.f.device)
		}
	})
	return errors.Join(caught, err)
}
