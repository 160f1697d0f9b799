package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/report/live"
	"github.com/wangkuiyi/orrery/trainer"
)

// seeingFlags are train's that show a training while it runs and keep more of it.
func seeingFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "activations", Usage: "keep statistics of every layer's output at every step, in activations.npz"},
		&cli.BoolFlag{Name: "watch", Usage: "show the run on a local page while it trains"},
		&cli.StringFlag{Name: "listen", Usage: "loopback address of that page", Value: "127.0.0.1:0"},
		&cli.StringFlag{Name: "mlflow", Usage: "record the run in the MLflow store `DIR` at its end"},
	}
}

// quietWatcher is a trainer.Watcher that looks away.
type quietWatcher struct{}

func (quietWatcher) EpochStarts(int, int, int) {}
func (quietWatcher) StepEnds(trainer.Step)     {}
func (quietWatcher) EpochEnds(trainer.Epoch)   {}

// layerWatcher keeps activation statistics.
type layerWatcher struct {
	quietWatcher
	*report.ActivationRecorder
}

// The batch under way is drawn so often, small, beside the training.
const (
	batchFirst = 2 * time.Second
	batchEvery = 15 * time.Second
	batchCell  = 96 // pixels
)

// batchPainter draws plots/batch.png for the live page.
type batchPainter struct {
	quietWatcher
	path string
	log  *slog.Logger
	next time.Time
	busy atomic.Bool
	done sync.WaitGroup
}

func newBatchPainter(run *trainer.Run, log *slog.Logger) (*batchPainter, error) {
	path, err := run.PlotPath("batch.png")
	return &batchPainter{path: path, log: log, next: time.Now().Add(batchFirst)}, err
}

// WantsBatch asks for pictures when the last ones have aged.
func (p *batchPainter) WantsBatch() int {
	if p.busy.Load() || time.Now().Before(p.next) {
		return 0
	}
	return showBatchPictures
}

// Batch draws in the background.
func (p *batchPainter) Batch(_ int, pictures []image.Image, actual, predicted []string, probabilities []float64) {
	p.next = time.Now().Add(batchEvery)
	p.busy.Store(true)
	titles := make([]string, len(pictures))
	for i := range titles {
		titles[i] = fmt.Sprintf("%s / %s\n%.2f", printable(predicted[i]), printable(actual[i]), probabilities[i])
	}
	p.done.Go(func() {
		defer p.busy.Store(false)
		if err := writePNG(p.path, report.Grid(pictures, titles, showBatchColumns, batchCell)); err != nil {
			p.log.Warn("the batch under way was not drawn", "reason", err)
		}
	})
}

// A seeing is what follows one training beside the table of epochs.
type seeing struct {
	watchers    []trainer.Watcher
	activations *report.ActivationRecorder // nil unless asked for
	painter     *batchPainter              // nil where another process writes
	stopPage    func()                     // does nothing without --watch
	log         *slog.Logger
}

// openSeeing starts what the flags of train ask for, for a run that begins at the given step; nothing
// in a process that has no run to write.
func openSeeing(c *cli.Context, run *trainer.Run, step int, log *slog.Logger) (*seeing, error) {
	s := &seeing{log: log, stopPage: func() {}}
	if run == nil {
		return s, nil
	}
	var err error
	if s.painter, err = newBatchPainter(run, log); err != nil {
		return nil, err
	}
	s.watchers = append(s.watchers, s.painter)
	if c.Bool("activations") {
		if s.activations, err = report.NewActivationRecorder(filepath.Join(run.Dir, "activations.npz"), step); err != nil {
			return nil, err
		}
		s.watchers = append(s.watchers, layerWatcher{ActivationRecorder: s.activations})
	}
	if c.Bool("watch") {
		err = s.openPage(c, run.Dir)
	}
	return s, err
}

// pageEvery is how often the page's server looks at the run's files.
const pageEvery = time.Second

// openPage serves the live page of the run until close.
func (s *seeing) openPage(c *cli.Context, dir string) error {
	server, err := live.New(dir, live.Options{Every: pageEvery})
	if err != nil {
		return err
	}
	// A first Ctrl-C stops the training, and the page still tells how that goes.
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context))
	listening, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- server.Serve(ctx, c.String("listen"), func(url string) { listening <- url }) }()
	select {
	case url := <-listening:
		fmt.Fprintf(c.App.ErrWriter, "watch: %s\n", url)
	case err := <-ended:
		cancel()
		return errors.Join(err, server.Close())
	}
	s.stopPage = func() {
		time.Sleep(2 * pageEvery) // so that the last file written is seen on the page
		cancel()
		if err := errors.Join(<-ended, server.Close()); err != nil {
			fmt.Fprintf(c.App.ErrWriter, "watch: %v\n", err)
		}
	}
	return nil
}

// finishLayers writes activations.npz a last time; the report reads it.
func (s *seeing) finishLayers() {
	if s.painter != nil {
		s.painter.done.Wait()
	}
	if s.activations == nil {
		return
	}
	if err := s.activations.Close(); err != nil {
		s.log.Warn("the activation statistics were not written", "reason", err)
	}
}

// writeRecords writes what other tools read of a finished run: TensorBoard's event
// file, and MLflow's store if one is given.
func writeRecords(c *cli.Context, dir string, log *slog.Logger) {
	if _, err := report.WriteEvents(dir); err != nil {
		log.Warn("no event file for TensorBoard", "reason", err)
	}
	if store := c.String("mlflow"); store != "" {
		if _, err := report.WriteMLflow(dir, store); err != nil {
			log.Warn("not recorded in MLflow", "reason", err)
		}
	}
}
