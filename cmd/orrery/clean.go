package main

import (
	"fmt"

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
			&cli.StringFlag{Name: "run", Usage: "sort by the predictions of `RUN`"},
			&cli.BoolFlag{Name: "list", Usage: "list the pictures and stop"},
			&cli.StringFlag{Name: "apply", Usage: "make the steps of `FILE` (- is standard input) and stop"},
			&cli.BoolFlag{Name: "empty-trash", Usage: "destroy what was thrown out, for good"},
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
	case c.Bool("list"):
		items, err := clean.List(c.Context, dir, clean.ListOptions{Predictions: c.String("run")})
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return printJSON(c.App.Writer, items)
		}
		return clean.Print(c.App.Writer, items)
	case c.String("apply") != "":
		return applySteps(c, dir)
	}
	return clean.Serve(c.Context, dir, clean.ServeOptions{
		Listen: c.String("listen"), Predictions: c.String("run"),
		Ready:  func(address string) { fmt.Fprintln(c.App.Writer, address) },
		Notice: func(line string) { newLogger(c.App.ErrWriter).Warn(line) },
	})
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
