package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/bench"
	"github.com/wangkuiyi/orrery/trainer"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure the loader, training and predicting on each device, with floors and costs",
		ArgsUsage: "[DATA]",
		Flags: append(benchRecipeFlags(),
			&cli.GenericFlag{Name: "work", Usage: "what is measured: some of data (the loader alone), train, predict", Value: newList(bench.Data, bench.Train, bench.Predict)},
			&cli.IntFlag{Name: "steps", Usage: "timed steps of each repeat", Value: 20},
			&cli.IntFlag{Name: "warmup", Usage: "steps before them that are not timed", DefaultText: "3 on the CPU, 10 on a GPU"},
			&cli.IntFlag{Name: "repeats", Usage: "repeats of each row", Value: 3},
			&cli.StringFlag{Name: "price-per-hour", Usage: "what an hour costs: one `PRICE` for all devices, or cpu=0.4,cuda=3.5"},
			fileFlag("write the results to `FILE` too: a name in .md, .json, .png or .svg"),
			&cli.StringFlag{Name: "markdown", Usage: "write the tables to `FILE` as Markdown"},
			&cli.StringFlag{Name: "mlperf", Usage: "write the rows to `FILE` in the form of MLPerf's logs"},
			jsonFlag(),
		),
		Action: measure,
	}
}

// benchRecipeFlags are a recipe's, of which two take lists.
func benchRecipeFlags() []cli.Flag {
	flags := recipeFlags()
	for i, flag := range flags {
		switch flag := flag.(type) {
		case *cli.StringFlag:
			switch flag.Name {
			case "model":
				flags[i] = &cli.GenericFlag{Name: flag.Name, Usage: "networks to measure, as in cnn8,resnet18 (see orrery models)", Value: newList(flag.Value)}
			case "device":
				flag.Usage = "auto for the CPU and a GPU that is there, or one of cpu, cuda, cuda:N"
			}
		case *cli.IntFlag:
			if flag.Name == "batch-size" {
				flags[i] = &cli.GenericFlag{Name: flag.Name, Aliases: flag.Aliases, Usage: "pictures a step, as in 32,64", Value: newList(flag.Value)}
			}
		}
	}
	return flags
}

func measure(c *cli.Context) (err error) {
	if c.NArg() > 1 {
		return usagef("bench takes one DATA, not %q", c.Args().Slice())
	}
	files, err := benchFilesOf(c)
	if err != nil {
		return err
	}
	o, err := benchOptions(c)
	if err != nil {
		return err
	}
	if c.Args().Present() {
		if o.Set, err = openSet(c, o.Recipes[0].Data, o.Log); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, o.Set.Close()) }()
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	result, err := bench.Run(c.Context, o)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, result)
	} else {
		_, err = fmt.Fprint(c.App.Writer, benchText(result))
	}
	if err = errors.Join(err, files.write(result, o.Log)); err != nil {
		return err
	}
	if n := result.Failed(); n > 0 {
		return fmt.Errorf("%d of %d rows could not be measured; the log says why", n, len(result.Rows))
	}
	return nil
}

// benchOptions are what the flags ask for, without the set.
func benchOptions(c *cli.Context) (o bench.Options, err error) {
	base := trainer.Article()
	base.Data = "synthetic" // replaced by DATA
	first, err := recipeOf(c, base)
	if err != nil {
		return o, err
	}
	o = bench.Options{
		BatchSizes: []int{first.BatchSize}, Pixels: []string{"exact", "fast"},
		Steps: c.Int("steps"), WarmUp: -1, Repeats: c.Int("repeats"), Log: newLogger(c.App.ErrWriter), Commit: commit, Command: os.Args,
	}
	if o.Prices, err = bench.ParsePrices(c.String("price-per-hour")); err != nil {
		return o, usageError{err}
	}
	if c.IsSet("warmup") {
		if o.WarmUp = c.Int("warmup"); o.WarmUp < 0 {
			return o, usagef("warmup is %d; it must be 0 or more", o.WarmUp)
		}
	}
	o.Works = c.Generic("work").(*listValue[string]).all
	if c.IsSet("pixels") {
		o.Pixels = []string{first.Pixels}
	}
	if first.Device != "auto" {
		o.Devices = []string{first.Device}
	}
	if c.IsSet("batch-size") {
		o.BatchSizes = c.Generic("batch-size").(*listValue[int]).all
	}
	names := []string{first.Model}
	if c.IsSet("model") {
		names = c.Generic("model").(*listValue[string]).all
	}
	for _, name := range names {
		recipe := first
		if recipe.Model = name; name != first.Model {
			recipe.Layers = nil
			if recipe, err = recipe.Settle(); err != nil {
				return o, usageError{err}
			}
		}
		o.Recipes = append(o.Recipes, recipe)
	}
	if err := o.Check(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// benchFiles are the files that are asked for, by what is written to each.
type benchFiles struct{ results, markdown, mlperf string }

var benchEndings = []string{".md", ".json", ".png", ".svg"}

// benchFilesOf checks them before anything is measured.
func benchFilesOf(c *cli.Context) (f benchFiles, err error) {
	f = benchFiles{c.String("output"), c.String("markdown"), c.String("mlperf")}
	if f.results != "" && !slices.Contains(benchEndings, filepath.Ext(f.results)) {
		return f, usagef("output is %s; its name must end in one of %s", f.results, strings.Join(benchEndings, ", "))
	}
	for _, path := range []string{f.results, f.markdown, f.mlperf} {
		if info, err := os.Stat(filepath.Dir(path)); path != "" && (err != nil || !info.IsDir()) {
			return f, usagef("%s: there is no folder %s to write it in", path, filepath.Dir(path))
		}
	}
	return f, nil
}
