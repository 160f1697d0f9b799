package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/models"
	"github.com/wangkuiyi/orrery/trainer"
)

// A feed gives one whole batch after the other, epoch after epoch; without a
// loader nil, which stands for synthetic ones.
type feed struct {
	loader *augment.Loader
	batch  int
	it     *augment.Iterator
	epoch  int
}

func (f *feed) next(ctx context.Context) (*augment.Batch, error) {
	if f.loader == nil {
		return nil, ctx.Err()
	}
	for empty := false; ; {
		if f.it == nil {
			f.it = f.loader.Epoch(ctx, f.epoch)
			f.epoch++
		}
		batch, err := f.it.Next()
		switch {
		case errors.Is(err, io.EOF) && !empty:
			f.it, empty = nil, true
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("no batch of %d pictures can be read", f.batch)
		case err != nil:
			return nil, err
		case batch.N == f.batch:
			return batch, nil
		default: // the last of an epoch
			batch.Release()
		}
	}
}

func (f *feed) close() {
	if f.it != nil {
		f.it.Close()
	}
	if f.loader != nil {
		f.loader.Close()
	}
}

// A stepper takes steps of one work on a rig's device.
type stepper struct {
	rig   *trainer.Rig
	work  string
	feed  *feed
	batch int
}

// step takes one; mark is called at its parts' ends, where it is given.
func (s *stepper) step(ctx context.Context, mark func(trainer.Part)) (wait time.Duration, err error) {
	began := time.Now()
	batch, err := s.feed.next(ctx)
	if err != nil {
		return 0, err
	}
	wait = time.Since(began)
	if batch != nil {
		defer batch.Release()
	}
	if s.work == Predict {
		return wait, s.rig.Predict(batch, mark)
	}
	return wait, s.rig.Train(batch, mark)
}

// timed takes steps and times them, the whole of them to the end of the device's work.
func (s *stepper) timed(ctx context.Context, warmUp, steps int, m *meter) (p pass, err error) {
	p.warmUp = warmUp
	probe := newProbe(m)
	for i := range warmUp {
		began := time.Now()
		if _, err := s.step(ctx, nil); err != nil {
			return p, err
		}
		if i == 0 {
			p.first = time.Since(began)
		}
	}
	if err := s.rig.Synchronize(); err != nil {
		return p, err
	}
	probe.start()
	whole := time.Now()
	for range steps {
		began := time.Now()
		wait, err := s.step(ctx, nil)
		if err != nil {
			return p, err
		}
		p.waits += wait
		p.steps = append(p.steps, time.Since(began))
		p.images += s.batch
		if s.work == Train {
			p.took(s.rig.Way())
		}
	}
	if err := s.rig.Synchronize(); err != nil {
		return p, err
	}
	p.total = time.Since(whole)
	probe.stop()
	probe.tell(&p)
	if warmUp == 0 {
		p.first = p.steps[0]
	}
	return p, nil
}

// parted takes steps, waits for the device at the end of each part, and gives
// the mean of each and the times of the steps.
func (s *stepper) parted(ctx context.Context, warmUp, steps int) (*Split, []time.Duration, error) {
	var sums [trainer.PartOptimizer + 1]time.Duration
	var times []time.Duration
	for i := range warmUp + steps {
		began := time.Now()
		last := began
		var parts [len(sums)]time.Duration
		if _, err := s.step(ctx, func(p trainer.Part) {
			now := time.Now()
			parts[p] = now.Sub(last)
			last = now
		}); err != nil {
			return nil, nil, err
		}
		if i < warmUp {
			continue
		}
		times = append(times, time.Since(began))
		for p, t := range parts {
			sums[p] += t
		}
	}
	mean := func(p trainer.Part) float64 { return ms(sums[p]) / float64(steps) }
	return &Split{
		Data: mean(trainer.PartData), Forward: mean(trainer.PartForward), Backward: mean(trainer.PartBackward), Optimizer: mean(trainer.PartOptimizer), Steps: steps,
	}, times, nil
}

// onRig makes a job of steps on a rig, whose batches come from a loader that open
// makes for each pass, or lie on the device where open is nil.
func (s *session) onRig(ctx context.Context, work, input string, recipe trainer.Recipe, classes int, open func() (*augment.Loader, error)) job {
	with := func(use func(*stepper) error) error {
		f := &feed{batch: recipe.BatchSize}
		if open != nil {
			var err error
			if f.loader, err = open(); err != nil {
				return err
			}
		}
		defer f.close()
		rig, err := trainer.NewRig(recipe, classes, s.training(trainer.Options{}))
		if err != nil {
			return err
		}
		defer rig.Close()
		return use(&stepper{rig, work, f, recipe.BatchSize})
	}
	return job{
		work: work, input: input, recipe: recipe,
		repeat: func() (p pass, err error) {
			err = with(func(st *stepper) error {
				p, err = st.timed(ctx, s.warmUp, s.Steps, s.meter)
				return err
			})
			return p, err
		},
		parts: func() (split *Split, times []time.Duration, err error) {
			err = with(func(st *stepper) error {
				split, times, err = st.parted(ctx, s.warmUp, s.Steps)
				return err
			})
			return split, times, err
		},
	}
}

// onSynthetic are the jobs of training and predicting on random pictures.
func (s *session) onSynthetic(ctx context.Context, recipe trainer.Recipe, summary *models.Summary, classes int) (jobs []job) {
	for _, work := range []string{Train, Predict} {
		j := s.onRig(ctx, work, Synthetic, recipe, classes, nil)
		j.summary = s.floorOf(work, recipe, summary)
		jobs = append(jobs, j)
	}
	return jobs
}

// floorOf is the summary that a work's floor comes from: none where stages are
// frozen, which train with less arithmetic than the floor has.
func (s *session) floorOf(work string, recipe trainer.Recipe, summary *models.Summary) *models.Summary {
	if work == Train && (recipe.Freeze > 0 || recipe.FreezeEpochs > 0) {
		s.note("training with frozen stages has no floor here: how much of the way back is left out is not counted")
		return nil
	}
	return summary
}
