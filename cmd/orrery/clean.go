package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/collect/clean"
)

func cleanCommand() *cli.Command {
	return &cli.Command{
		Name:      "clean",
		Usage:     "throw bad pictures out on a local page, or by a list of commands; every step can be undone",
		ArgsUsage: "DIR",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "loopback address of the page", DefaultText: "any free port"},
			&cli.StringFlag{Name: "run", Usage: "have the network of `RUN` look at the pictures, to sort by its loss and confidence"},
			deviceFlag(),
			&cli.BoolFlag{Name: "list", Usage: "list the pictures and stop"},
			&cli.StringFlag{Name: "apply", Usage: "make the steps of `FILE` (- is standard input) and stop"},
			&cli.BoolFlag{Name: "empty-trash", Usage: "destroy what was thrown out, for good"},
			&cli.BoolFlag{Name: "trash", Usage: "list what was thrown out"},
			&cli.StringFlag{Name: "sort", Usage: "order of the list: " + strings.Join(clean.Sorts, ", ")},
			&cli.StringFlag{Name: "filter", Usage: "part that is listed: " + strings.Join(clean.Filters, ", ")},
			jsonFlag(),
		},
		Action: cleanSet,
	}
}

func cleanSet(c *cli.Context) error {
	dir, err := one(c, "DIR")
	if err != nil {
		return err
	}
	switch {
	case c.Bool("empty-trash"):
		n, err := clean.EmptyTrash(dir)
		if err == nil {
			_, err = fmt.Fprintf(c.App.Writer, "%d pictures destroyed\n", n)
		}
		return err
	case c.String("apply") != "":
		return applySteps(c, dir)
	}
	var predictions *clean.Predictions
	if run := c.String("run"); run != "" {
		network, end, err := newScorer(run, c.String("device"), newLogger(c.App.ErrWriter))
		if err != nil {
			return err
		}
		defer end()
		if predictions, err = network.predictions(run, dir); err != nil {
			return err
		}
	}
	if c.Bool("list") {
		return listPictures(c, dir, predictions)
	}
	return clean.Serve(c.Context, dir, clean.ServeOptions{
		Listen: c.String("listen"), Predictions: predictions,
		Ready:  func(address string) { fmt.Fprintln(c.App.Writer, address) },
		Notice: func(line string) { newLogger(c.App.ErrWriter).Warn(line) },
	})
}

func listPictures(c *cli.Context, dir string, predictions *clean.Predictions) error {
	view := clean.View{Trash: c.Bool("trash"), Sort: c.String("sort"), Filter: c.String("filter")}
	if err := view.Check(); err != nil {
		return usageError{err}
	}
	show, end := countBar(c.App.ErrWriter, "reading", "pictures")
	items, err := clean.List(c.Context, dir, clean.ListOptions{View: view, Predictions: predictions,
		Progress: func(done, all int) { show(int64(done), int64(all)) }})
	end()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, items)
	}
	return clean.Print(c.App.Writer, items)
}

func applySteps(c *cli.Context, dir string) error {
	f, err := fileOrStdin(c.String("apply"))
	if err != nil {
		return err
	}
	defer f.Close()
	applied, err := clean.Apply(dir, f)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, applied)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%d steps, %d pictures moved, %d skipped\n", applied.Steps, applied.Moved, len(applied.Skipped))
	return err
}
