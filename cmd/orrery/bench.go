package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure the loader, the training step on synthetic data, and real training",
		ArgsUsage: "[DATA]",
		Flags: append(recipeFlags(),
			&cli.IntFlag{Name: "steps", Usage: "timed steps on synthetic data", Value: 20},
			jsonFlag(),
		),
		Action: bench,
	}
}

// A benchRow is one measurement.
type benchRow struct {
	Work            string  `json:"work"`   // data or train
	Input           string  `json:"input"`  // jpeg, store (decoded pictures at hand) or synthetic
	Pixels          string  `json:"pixels"` // exact or fast
	Device          string  `json:"device"`
	Model           string  `json:"model"`
	BatchSize       int     `json:"batch_size"`
	ImagesPerSecond float64 `json:"images_per_second"`
	MsPerStep       float64 `json:"ms_per_step"` // median
	P50             float64 `json:"p50_ms"`
	P99             float64 `json:"p99_ms"`
	Spread          float64 `json:"spread"` // interquartile range over median
}

// A benchMachine says what the rows were measured on.
type benchMachine struct {
	Cores    int    `json:"cores"`
	Threads  int    `json:"threads"`
	Libtorch string `json:"libtorch"`
	Kernels  string `json:"kernels"` // instruction set of our own
	Commit   string `json:"commit"`
}

func bench(c *cli.Context) error {
	recipe := trainer.Article()
	recipe.Data = "synthetic" // replaced by DATA
	recipe, err := recipeOf(c, recipe)
	if err != nil {
		return err
	}
	if c.Int("steps") < 2 {
		return usagef("steps is %d; it must be at least 2", c.Int("steps"))
	}
	var rows []benchRow
	if c.Args().Present() {
		if rows, err = benchData(c, recipe); err != nil {
			return err
		}
	}
	times, err := trainer.SyntheticSteps(c.Context, recipe, 4, c.Int("steps"))
	if err != nil {
		return err
	}
	rows = append(rows, newBenchRow("train", "synthetic", recipe, times))
	machine := benchMachine{runtime.NumCPU(), torch.NumThreads(), torch.Library().Torch, torch.KernelInstructions(), commit}
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Rows    []benchRow   `json:"rows"`
			Machine benchMachine `json:"machine"`
		}{rows, machine})
	}
	return printBench(c.App.Writer, rows, machine)
}

// newBenchRow sums up the times of a work's steps.
func newBenchRow(work, input string, recipe trainer.Recipe, times []time.Duration) benchRow {
	sorted := slices.Sorted(slices.Values(times))
	at := func(q float64) float64 { return sorted[int(math.Round(q*float64(len(sorted)-1)))].Seconds() * 1e3 }
	median := at(0.5)
	return benchRow{
		Work: work, Input: input, Pixels: recipe.Pixels, Device: "cpu", Model: recipe.Model, BatchSize: recipe.BatchSize,
		ImagesPerSecond: float64(recipe.BatchSize) / median * 1e3, MsPerStep: median, P50: median, P99: at(0.99),
		Spread: (at(0.75) - at(0.25)) / median,
	}
}

// benchData measures the loader alone, then two epochs of training: the first
// decodes every picture, the second finds them decoded.
func benchData(c *cli.Context, recipe trainer.Recipe) ([]benchRow, error) {
	set, err := openSet(c, recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return nil, err
	}
	defer set.Close()
	pictures := data.NewCache(recipe.Pictures(set), 0)
	defer pictures.Close()
	var rows []benchRow
	for _, input := range []string{"jpeg", "store"} { // the first fills the cache for the second
		times, err := loadEpoch(c.Context, recipe, set, pictures)
		if err != nil {
			return nil, err
		}
		rows = append(rows, newBenchRow("data", input, recipe, times))
	}
	trained, err := benchTraining(c.Context, recipe, set)
	return append(rows, trained...), err
}

// loadEpoch times every batch of one training epoch with nothing else to do.
func loadEpoch(ctx context.Context, recipe trainer.Recipe, set *data.Dataset, pictures augment.Source) ([]time.Duration, error) {
	loader, err := trainer.TrainingLoader(recipe, set, pictures)
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	it := loader.Epoch(ctx, 0)
	defer it.Close()
	var times []time.Duration
	for {
		began := time.Now()
		batch, err := it.Next()
		if errors.Is(err, io.EOF) {
			return times, nil
		}
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
		batch.Release()
	}
}

// A stopwatch keeps the time of each step of each epoch.
type stopwatch struct{ epochs [][]time.Duration }

func (s *stopwatch) EpochStarts(int, int, int) { s.epochs = append(s.epochs, nil) }
func (s *stopwatch) EpochEnds(trainer.Epoch)   {}
func (s *stopwatch) StepEnds(step trainer.Step) {
	last := len(s.epochs) - 1
	s.epochs[last] = append(s.epochs[last], time.Duration(step.Seconds*float64(time.Second)))
}

func benchTraining(ctx context.Context, recipe trainer.Recipe, set *data.Dataset) (rows []benchRow, err error) {
	folder, err := os.MkdirTemp("", "orrery-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	recipe.Epochs = 2
	run, err := trainer.NewRun(filepath.Join(folder, "run"), recipe)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	pictures := data.NewCache(recipe.Pictures(set), 0)
	defer pictures.Close()
	watch := &stopwatch{}
	if _, err = trainer.Fit(ctx, recipe, set, trainer.Options{
		Run: run, Pictures: pictures, Watchers: []trainer.Watcher{watch}, Log: slog.New(slog.DiscardHandler), Started: started, Commit: commit,
	}); err != nil {
		return nil, err
	}
	for i, input := range []string{"jpeg", "store"} {
		rows = append(rows, newBenchRow("train", input, recipe, watch.epochs[i]))
	}
	return rows, nil
}

func printBench(w io.Writer, rows []benchRow, machine benchMachine) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"work", "input", "pixels", "model", "batch", "img/s", "ms/step", "p99", "spread"})
	for _, r := range rows {
		t.AppendRow(table.Row{
			r.Work, r.Input, r.Pixels, r.Model, r.BatchSize, fmt.Sprintf("%.0f", r.ImagesPerSecond), fmt.Sprintf("%.1f", r.MsPerStep),
			fmt.Sprintf("%.1f", r.P99), fmt.Sprintf("%.0f %%", 100*r.Spread),
		})
	}
	_, err := fmt.Fprintf(w, "%s\n%d cores, %d threads, libtorch %s, kernels %s, orrery %s\n",
		t.Render(), machine.Cores, machine.Threads, machine.Libtorch, machine.Kernels, machine.Commit)
	return err
}
