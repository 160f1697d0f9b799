package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
	"github.com/wangkuiyi/orrery/trainer"
)

// onPictures measures a recipe's rows on the set: the loader alone, if that is
// wanted, training and predicting, each from the files and from decoded pictures;
// and after them the synthetic ones.
func (s *session) onPictures(ctx context.Context, recipe trainer.Recipe, summary *models.Summary, loader bool, synthetic []job) (err error) {
	store, closeStore, err := s.newStore(recipe)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	s.Log.Info("decoding pictures into a store", "pixels", recipe.Pixels)
	shown, err := s.decode(ctx, recipe, store)
	if err != nil {
		return err
	}
	inputs := []struct {
		name     string
		pictures augment.Source
	}{{JPEG, recipe.Pictures(s.Set)}, {Stored, store}}
	classes := len(s.Set.Classes)
	var jobs []job
	for _, in := range inputs {
		if loader {
			jobs = append(jobs, s.loading(ctx, recipe, in.name, in.pictures))
		}
	}
	for _, in := range inputs {
		j := s.onRig(ctx, Train, in.name, recipe, classes, func() (*augment.Loader, error) {
			return trainer.TrainingLoader(recipe, s.Set, in.pictures)
		})
		j.summary = s.floorOf(Train, recipe, summary)
		j.repeat = func() (pass, error) { return s.trainStored(ctx, recipe, store) }
		if in.name == JPEG {
			j.repeat = func() (pass, error) { return s.trainDecoding(ctx, recipe) }
		}
		jobs = append(jobs, j)
	}
	for _, in := range inputs {
		j := s.onRig(ctx, Predict, in.name, recipe, classes, func() (*augment.Loader, error) {
			return trainer.EvaluationLoader(recipe, s.Set, in.pictures, shown)
		})
		j.summary = summary
		jobs = append(jobs, j)
	}
	return s.measure(ctx, append(jobs, synthetic...))
}

// newStore opens an empty store of the set's decoded pictures, and gives what
// clears it away.
func (s *session) newStore(recipe trainer.Recipe) (data.Pictures, func() error, error) {
	dir := s.newPath("store")
	store, err := data.Keep(recipe.Pictures(s.Set), dir, s.Log)
	if err != nil {
		return nil, nil, err
	}
	return store, func() error { return errors.Join(store.Close(), os.RemoveAll(dir)) }, nil
}

func (s *session) newPath(name string) string {
	s.made++
	return filepath.Join(s.folder, fmt.Sprintf("%s-%d", name, s.made))
}

// decode puts what the rows need into the store, and gives the pictures to predict.
func (s *session) decode(ctx context.Context, recipe trainer.Recipe, store augment.Source) (shown []int, err error) {
	train, _, err := s.Set.Split(recipe.ValidPct, recipe.SplitSeed)
	if err != nil {
		return nil, err
	}
	batch, wanted := recipe.BatchSize, s.warmUp+s.epochSteps(recipe.BatchSize)
	shown = train[:min(len(train)/batch, wanted)*batch]
	ahead := wanted + aheadBatches
	part := ahead < len(train)/batch // of an epoch
	if !part {
		shown = train
	}
	return shown, keepAll(store, func() error {
		if part {
			loader, err := trainer.TrainingLoader(recipe, s.Set, store)
			if err != nil {
				return err
			}
			if err := drain(ctx, loader, ahead); err != nil {
				return err
			}
		}
		loader, err := trainer.EvaluationLoader(recipe, s.Set, store, shown)
		if err != nil {
			return err
		}
		return drain(ctx, loader, len(shown))
	})
}

// aheadBatches is more than a loader makes ahead of a training, late or not.
const aheadBatches = 16

// keepAll reads until all that is read is stored: a store leaves pictures out when they come faster than
// the disk takes them. It ends, too, when that does not get better.
func keepAll(pictures augment.Source, read func() error) error {
	store, ok := pictures.(*data.Store)
	if !ok {
		return read()
	}
	for missed := int64(math.MaxInt64); ; {
		before := store.Stats().Misses
		if err := read(); err != nil {
			return err
		}
		store.Flush()
		now := store.Stats().Misses - before
		if now == 0 || now >= missed {
			return nil
		}
		missed = now
	}
}

// drain reads an epoch's first batches and closes the loader.
func drain(ctx context.Context, loader *augment.Loader, batches int) error {
	defer loader.Close()
	it := loader.Epoch(ctx, 0)
	defer it.Close()
	for range batches {
		batch, err := it.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		batch.Release()
	}
	return nil
}

// loading times batches of training with nothing else to do, epoch after epoch,
// the first ones of each left out: they wait for the workers to begin.
func (s *session) loading(ctx context.Context, recipe trainer.Recipe, input string, pictures augment.Source) job {
	return job{work: Data, input: input, recipe: recipe, repeat: func() (p pass, err error) {
		loader, err := trainer.TrainingLoader(recipe, s.Set, pictures)
		if err != nil {
			return p, err
		}
		f := &feed{loader: loader, batch: recipe.BatchSize}
		defer f.close()
		p.warmUp = s.warmUp
		probe := newProbe(s.meter)
		for epoch, warm := 0, s.warmUp; len(p.steps) < s.Steps; {
			began := time.Now()
			batch, err := f.next(ctx)
			if err != nil {
				return p, err
			}
			took := time.Since(began)
			batch.Release()
			if p.first == 0 {
				p.first = took
			}
			fresh := f.epoch > epoch
			epoch = f.epoch
			switch {
			case warm > 0:
				warm--
			case fresh && loader.Steps() > 1:
			default:
				p.steps, p.total, p.images = append(p.steps, took), p.total+took, p.images+recipe.BatchSize
			}
			if warm == 0 && !probe.running {
				probe.start()
			}
		}
		probe.stop()
		probe.tell(&p)
		return p, nil
	}}
}

// trainDecoding trains on an empty store, as a set's first epoch does: every
// picture is decoded on the way, and kept.
func (s *session) trainDecoding(ctx context.Context, recipe trainer.Recipe) (p pass, err error) {
	store, closeStore, err := s.newStore(recipe)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	epoch := s.trainImages() / recipe.BatchSize
	steps := min(s.Steps, epoch)
	recipe.Resident = trainer.ResidentOff // or all would be decoded before the first step
	return s.fit(ctx, recipe, store, min(s.warmUp, epoch-steps), steps)
}

// trainStored trains on decoded pictures, as later epochs and runs do.
func (s *session) trainStored(ctx context.Context, recipe trainer.Recipe, store data.Pictures) (pass, error) {
	return s.fit(ctx, recipe, store, s.warmUp, s.epochSteps(recipe.BatchSize))
}

// fit times steps of trainer.Fit, with a run folder as any training has.
func (s *session) fit(ctx context.Context, recipe trainer.Recipe, pictures augment.Source, warmUp, steps int) (p pass, err error) {
	// A store that a pass before wrote, and what is left to do of its removal, would be the disk's work during this one.
	unix.Sync()
	dir := s.newPath("run")
	run, err := trainer.NewRun(dir, recipe)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, run.Close(), os.RemoveAll(dir)) }()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	w := &stopwatch{probe: newProbe(s.meter), warmUp: warmUp, steps: steps, batch: recipe.BatchSize, stop: stop, p: pass{warmUp: warmUp}}
	_, err = trainer.Fit(inner, recipe, s.Set, s.training(trainer.Options{
		Run: run, Pictures: pictures, Watchers: []trainer.Watcher{w}, Log: slog.New(slog.DiscardHandler), Started: time.Now(), Commit: s.Commit,
	}))
	if len(w.p.steps) == steps && errors.Is(err, trainer.ErrStopped) { // as asked
		err = nil
	}
	w.probe.tell(&w.p)
	return w.p, err
}

// A stopwatch times the steps of a training as its run counts them, and stops it.
type stopwatch struct {
	probe         *probe
	warmUp, steps int
	batch         int
	stop          func()
	seen          int // steps
	left          int // of the epoch
	p             pass
}

// EpochStarts goes on metering, which leaves validation out.
func (s *stopwatch) EpochStarts(_, _, steps int) {
	s.left = steps
	if s.seen >= s.warmUp {
		s.probe.start()
	}
}

// EpochEnds does nothing.
func (s *stopwatch) EpochEnds(trainer.Epoch) {}

// StepEnds counts a step.
func (s *stopwatch) StepEnds(step trainer.Step) {
	took := time.Duration(step.Seconds * float64(time.Second))
	s.seen++
	s.left--
	if s.seen == 1 {
		s.p.first = took
	}
	switch {
	case len(s.p.steps) == s.steps: // it was told to stop
		return
	case s.seen > s.warmUp:
		s.p.steps, s.p.total, s.p.images = append(s.p.steps, took), s.p.total+took, s.p.images+s.batch
		s.p.waits += time.Duration(step.DataWaitSeconds * float64(time.Second))
		s.p.took(step.Way)
	case s.seen == s.warmUp && s.left > 0:
		s.probe.start()
	}
	if s.left <= 0 || len(s.p.steps) == s.steps {
		s.probe.stop()
	}
	if len(s.p.steps) == s.steps {
		s.stop()
	}
}
