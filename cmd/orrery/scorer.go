package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/wangkuiyi/orrery/collect/clean"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

// A scorer has a trained network look at pictures. It lives on a goroutine of its own, as a trainer.Saved does.
type scorer struct {
	classes []string
	data    string // what the network was trained on
	jobs    chan scoreJob
}

// A scoreJob asks for the pictures of a set at these paths.
type scoreJob struct {
	ctx   context.Context
	set   string
	files []string
	found func(file string, probabilities []float64)
	done  chan error
}

// newScorer loads the network of a run; close it with end.
func newScorer(run, device string, log *slog.Logger) (s *scorer, end func(), err error) {
	s = &scorer{jobs: make(chan scoreJob)}
	loaded, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		saved, err := trainer.OpenSaved(run, device)
		if err != nil {
			loaded <- err
			return
		}
		defer saved.Close()
		s.classes, s.data = saved.Classes, saved.Recipe.Data
		loaded <- nil
		for job := range s.jobs {
			job.done <- score(job, saved, log)
		}
	}()
	if err := <-loaded; err != nil {
		return nil, nil, err
	}
	return s, func() { close(s.jobs); <-ended }, nil
}

func score(job scoreJob, saved *trainer.Saved, log *slog.Logger) error {
	set, err := data.Open(job.ctx, job.set, data.Options{})
	if err != nil {
		return err
	}
	defer set.Close()
	wanted := map[string]bool{}
	for _, file := range job.files {
		wanted[file] = true
	}
	var indices []int
	for i, sample := range set.Samples {
		if wanted[sample.Path] {
			indices = append(indices, i)
		}
	}
	if len(indices) == 0 {
		return nil
	}
	return saved.Score(job.ctx, set, indices,
		func(index int, probabilities []float64) { job.found(set.Samples[index].Path, probabilities) },
		func(index int, reason error) {
			log.Warn("the network did not see a picture", "path", set.Samples[index].Path, "reason", reason)
		})
}

// predictions are what the network of a run says of the set in dir: at once what the run's predictions.csv knows, if it was trained on
// this folder, and the rest when asked.
func (s *scorer) predictions(run, dir string) (*clean.Predictions, error) {
	p := &clean.Predictions{Classes: s.classes}
	if sameFolder(s.data, dir) {
		var err error
		if p.Pictures, err = clean.ReadPredictions(run); err != nil {
			return nil, err
		}
	}
	for _, picture := range p.Pictures {
		if len(picture.Probabilities) != len(p.Classes) {
			return nil, fmt.Errorf("%s: its predictions are for %d classes, its network knows %d", run, len(picture.Probabilities), len(p.Classes))
		}
	}
	p.More = func(ctx context.Context, files []string, found func(string, []float64)) error {
		job := scoreJob{ctx, dir, files, found, make(chan error, 1)}
		select {
		case s.jobs <- job:
			return <-job.done
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p, nil
}

func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
