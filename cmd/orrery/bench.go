package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/trainer"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure the loader, the training step on synthetic data, and real training",
		ArgsUsage: "[DATA]",
		Flags: append(recipeFlags(),
			&cli.IntFlag{Name: "steps", Usage: "timed batches of the loader, and steps on synthetic data", Value: 20},
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
	MsPerStep       float64 `json:"ms_per_step"` // mean
	P50             float64 `json:"p50_ms"`
	P99             float64 `json:"p99_ms"`
	Spread          float64 `json:"spread"` // interquartile range over median
	// DataWait is the fraction of training that waited for pictures.
	DataWait float64 `json:"data_wait_fraction"`
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
		if rows, err = benchSet(c, recipe); err != nil {
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
	total := time.Duration(0)
	for _, t := range times {
		total += t
	}
	mean := total.Seconds() / float64(len(times))
	return benchRow{
		Work: work, Input: input, Pixels: recipe.Pixels, Device: "cpu", Model: recipe.Model, BatchSize: recipe.BatchSize,
		ImagesPerSecond: float64(recipe.BatchSize) / mean, MsPerStep: mean * 1e3, P50: at(0.5), P99: at(0.99),
		Spread: (at(0.75) - at(0.25)) / at(0.5),
	}
}

func printBench(w io.Writer, rows []benchRow, machine benchMachine) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"work", "input", "pixels", "model", "batch", "img/s", "ms/step", "p50", "p99", "spread", "waiting"})
	for _, r := range rows {
		t.AppendRow(table.Row{
			r.Work, r.Input, r.Pixels, r.Model, r.BatchSize, fmt.Sprintf("%.0f", r.ImagesPerSecond), fmt.Sprintf("%.1f", r.MsPerStep),
			fmt.Sprintf("%.1f", r.P50), fmt.Sprintf("%.1f", r.P99), fmt.Sprintf("%.0f %%", 100*r.Spread), fmt.Sprintf("%.1f %%", 100*r.DataWait),
		})
	}
	_, err := fmt.Fprintf(w, "%s\n%d cores, %d threads, libtorch %s, kernels %s, orrery %s\n",
		t.Render(), machine.Cores, machine.Threads, machine.Libtorch, machine.Kernels, machine.Commit)
	return err
}
