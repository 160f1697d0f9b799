package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/report"
)

func activationsCommand() *cli.Command {
	return &cli.Command{
		Name:      "activations",
		Usage:     "show what train --activations kept: a table of all layers, and their plots",
		ArgsUsage: "RUN",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "layer", Usage: "plot layer `N` of the table alone: histogram, mean, std and share near zero", Value: -1, DefaultText: "all"},
			outputFlag("RUN/plots"), jsonFlag(),
		},
		Action: activations,
	}
}

func activations(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("activations takes one RUN")
	}
	run := c.Args().First()
	kept, err := report.LoadActivations(filepath.Join(run, "activations.npz"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no activations.npz; train it with --activations", run)
	}
	if err != nil {
		return err
	}
	layer := c.Int("layer")
	if c.IsSet("layer") && (layer < 0 || layer >= len(kept.Modules)) {
		return usagef("layer is %d; the run has layers 0 to %d", layer, len(kept.Modules)-1)
	}
	dir := c.String("output")
	if dir == "" {
		dir = filepath.Join(run, "plots")
	}
	name, draw := "activations", func(name string) error { return kept.WriteOverview(dir, name) }
	if layer >= 0 {
		name, draw = fmt.Sprintf("activations-%d", layer), func(name string) error { return kept.WritePlot(dir, name, layer) }
	}
	if err := draw(name); err != nil {
		return err
	}
	summary := kept.Summary()
	if c.Bool("json") {
		return printJSON(c.App.Writer, summary)
	}
	layers := newTable("layer", "name", "mean", "std", "near zero", "")
	for i, s := range summary {
		dead := ""
		if s.Dead {
			dead = "dead"
		}
		layers.AppendRow(table.Row{i, printable(s.Module), fmt.Sprintf("%.4f", s.Mean), fmt.Sprintf("%.4f", s.Std), fmt.Sprintf("%.1f %%", 100*s.NearZero), dead})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\nof the last tenth of %d steps; plot: %s\n", layers.Render(), len(kept.Steps), filepath.Join(dir, name+".png"))
	return err
}
