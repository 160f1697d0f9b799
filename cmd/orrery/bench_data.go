package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

// benchSet measures the loader alone and training, from the picture files and
// from decoded pictures, with exact pixels and with fast ones, or with those
// that --pixels names.
func benchSet(c *cli.Context, recipe trainer.Recipe) (rows []benchRow, err error) {
	set, err := openSet(c, recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return nil, err
	}
	defer set.Close()
	folder, err := os.MkdirTemp("", "orrery-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	kinds := []string{"exact", "fast"}
	if c.IsSet("pixels") {
		kinds = []string{recipe.Pixels}
	}
	for _, pixels := range kinds {
		recipe.Pixels = pixels
		b := &setBench{recipe: recipe, set: set, dir: filepath.Join(folder, pixels), steps: c.Int("steps"), log: newLogger(c.App.ErrWriter)}
		measured, err := b.rows(c.Context)
		if err != nil {
			return nil, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

// A setBench measures one kind of pixels of one set.
type setBench struct {
	recipe trainer.Recipe
	set    *data.Dataset
	dir    string
	steps  int
	log    *slog.Logger
}

func (b *setBench) rows(ctx context.Context) (rows []benchRow, err error) {
	store, err := data.Keep(b.recipe.Pictures(b.set), filepath.Join(b.dir, "store"), b.log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	trained, err := b.training(ctx, store) // it fills the store
	if err != nil {
		return nil, err
	}
	for _, source := range []struct {
		input    string
		pictures augment.Source
	}{{"jpeg", b.recipe.Pictures(b.set)}, {"store", store}} {
		times, err := b.loading(ctx, source.pictures)
		if err != nil {
			return nil, err
		}
		rows = append(rows, newBenchRow("data", source.input, b.recipe, times))
	}
	return append(rows, trained...), nil
}

// loading times batches of training with nothing else to do, epoch after epoch,
// the first ones of each left out: they wait for the workers to begin.
func (b *setBench) loading(ctx context.Context, pictures augment.Source) ([]time.Duration, error) {
	loader, err := trainer.TrainingLoader(b.recipe, b.set, pictures)
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	var times []time.Duration
	for epoch := 0; len(times) < b.steps; epoch++ {
		it := loader.Epoch(ctx, epoch)
		for i := 0; len(times) < b.steps; i++ {
			began := time.Now()
			batch, err := it.Next()
			if errors.Is(err, io.EOF) && i > 0 {
				break
			}
			if err != nil {
				it.Close()
				return nil, err
			}
			if i > 0 || loader.Steps() == 1 {
				times = append(times, time.Since(began))
			}
			batch.Release()
		}
		it.Close()
	}
	return times, nil
}

// A stopwatch keeps the time of each step of each epoch, and how long it waited.
type stopwatch struct {
	epochs [][]time.Duration
	waits  []float64 // seconds, an epoch each
}

func (s *stopwatch) EpochStarts(int, int, int) {
	s.epochs, s.waits = append(s.epochs, nil), append(s.waits, 0)
}
func (s *stopwatch) EpochEnds(trainer.Epoch) {}
func (s *stopwatch) StepEnds(step trainer.Step) {
	last := len(s.epochs) - 1
	s.epochs[last] = append(s.epochs[last], time.Duration(step.Seconds*float64(time.Second)))
	s.waits[last] += step.DataWaitSeconds
}

// training trains two epochs: the first decodes every picture and stores it,
// the second finds them decoded.
func (b *setBench) training(ctx context.Context, store data.Pictures) (rows []benchRow, err error) {
	recipe := b.recipe
	recipe.Epochs = 2
	run, err := trainer.NewRun(filepath.Join(b.dir, "run"), recipe)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	watch := &stopwatch{}
	if _, err = trainer.Fit(ctx, recipe, b.set, trainer.Options{
		Run: run, Pictures: store, Watchers: []trainer.Watcher{watch}, Log: slog.New(slog.DiscardHandler), Started: started, Commit: commit,
	}); err != nil {
		return nil, err
	}
	for i, input := range []string{"jpeg", "store"} {
		row := newBenchRow("train", input, b.recipe, watch.epochs[i])
		row.DataWait = watch.waits[i] / (row.MsPerStep / 1e3 * float64(len(watch.epochs[i])))
		rows = append(rows, row)
	}
	return rows, nil
}
