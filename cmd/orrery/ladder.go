package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

// maxLadderSeeds keeps a slip of the finger from starting a week of training.
const maxLadderSeeds = 100

func ladderCommand() *cli.Command {
	return &cli.Command{
		Name:      "ladder",
		Usage:     "train the article's six rungs in order; one table, one report",
		ArgsUsage: "DATA",
		Flags: append(recipeFlags(),
			&cli.IntFlag{Name: "seeds", Usage: "train every rung with N seeds, from --seed on", Value: 1},
			&cli.BoolFlag{Name: "carry", Usage: "start each rung from the weights of the one before, where layers fit"},
			outputFlag("runs/NAME-ladder, then NAME-ladder-2, ..."),
			storeFlag(),
			jsonFlag(),
		),
		Action: ladder,
	}
}

// fixedByRungs are the flags that the rungs decide themselves.
var fixedByRungs = []string{"model", "relu", "batchnorm", "schedule", "batch-size", "epochs"}

func ladder(c *cli.Context) error {
	for _, name := range fixedByRungs {
		if c.IsSet(name) {
			return usagef("the ladder's rungs set --%s themselves; use orrery train for a run of your own", name)
		}
	}
	seeds := c.Int("seeds")
	if seeds < 1 || seeds > maxLadderSeeds {
		return usagef("seeds is %d; it must be between 1 and %d", seeds, maxLadderSeeds)
	}
	recipe, err := recipeOf(c, trainer.Article())
	if err != nil {
		return err
	}
	dir := c.String("output")
	if dir == "" {
		if dir, err = trainer.FreshDir(filepath.Join("runs", runName(recipe.Data)+"-ladder")); err != nil {
			return err
		}
	}
	set, err := openSet(c, recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return err
	}
	defer set.Close()
	pictures, err := keepPictures(c, recipe, set, nil)
	if err != nil {
		return err
	}
	defer pictures.Close()
	climb := &climb{dir: dir, set: set, pictures: pictures, carry: c.Bool("carry")}
	rungs := trainer.Rungs(recipe)
	for _, rung := range rungs {
		train, _, _, err := trainer.Foresee(rung.Recipe, set)
		if err != nil {
			return err
		}
		if batch := rung.Recipe.BatchSize; train < batch {
			return fmt.Errorf("%s: the training split has %d pictures, and the rung %s trains with batches of %d; give the ladder more pictures or a lower --valid-pct", set.Source, train, rung.Name, batch)
		}
	}
	for i, rung := range rungs {
		if err := climb.rung(c, i, rung, seeds); err != nil {
			return err
		}
	}
	return climb.finish(c)
}

// A climb is one ladder in progress: every rung shares the decoded pictures.
type climb struct {
	dir      string
	set      *data.Dataset
	pictures data.Pictures
	carry    bool
	rungs    []trainer.RungResult
}

// rung trains one rung with each seed.
func (l *climb) rung(c *cli.Context, position int, rung trainer.Rung, seeds int) error {
	var results []*trainer.Result
	var dirs []string
	for i := range seeds {
		recipe := rung.Recipe
		recipe.Seed += int64(i)
		name := trainer.RungDir(position, rung.Name, recipe.Seed)
		fmt.Fprintf(tableWriter(c), "\n%s, seed %d\n", rung.Name, recipe.Seed)
		job := &training{recipe: recipe, dir: filepath.Join(l.dir, name)}
		if l.carry && position > 0 {
			job.carryFrom = filepath.Join(l.dir, l.rungs[position-1].Runs[i])
		}
		watcher := newEpochTable(tableWriter(c), c.App.ErrWriter)
		result, err := job.runOn(c, l.set, l.pictures, watcher)
		watcher.close()
		if err != nil {
			return err
		}
		results, dirs = append(results, result), append(dirs, name)
	}
	l.rungs = append(l.rungs, trainer.Summarize(rung.Name, results, dirs))
	return nil
}

// finish writes the ladder's result and report and prints its table.
func (l *climb) finish(c *cli.Context) error {
	summary := struct {
		Data     string               `json:"data"`
		Libtorch string               `json:"libtorch"`
		Commit   string               `json:"commit"`
		Rungs    []trainer.RungResult `json:"rungs"`
	}{l.set.Source, torch.Library().Torch, commit, l.rungs}
	if err := atomicfile.WriteJSON(filepath.Join(l.dir, "ladder.json"), summary); err != nil {
		return err
	}
	path, err := report.WriteLadder(l.dir, l.report(c))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, summary)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"rung", "accuracy", "spread", "seconds", "img/s"})
	for _, r := range l.rungs {
		t.AppendRow(table.Row{r.Name, fmt.Sprintf("%.4f", r.Accuracy), fmt.Sprintf("%.4f", r.Spread), fmt.Sprintf("%.1f", r.Seconds), fmt.Sprintf("%.0f", r.ImagesPerSecond)})
	}
	_, err = fmt.Fprintf(c.App.Writer, "\n%s\nreport: %s\n", t.Render(), path)
	return err
}

// report is the ladder as its page shows it.
func (l *climb) report(c *cli.Context) report.Ladder {
	page := report.Ladder{
		Data: l.set.Source, Command: os.Args,
		Environment: [][2]string{{"libtorch", torch.Library().Torch}, {"threads", strconv.Itoa(torch.NumThreads())}, {"commit", commit}},
	}
	for i := range c.Int("seeds") {
		page.Seeds = append(page.Seeds, c.Int64("seed")+int64(i))
	}
	for _, r := range l.rungs {
		page.Rungs = append(page.Rungs, report.Rung{Name: r.Name, Accuracies: r.Accuracies, Seconds: r.Seconds, ImagesPerSecond: r.ImagesPerSecond, Runs: r.Runs})
	}
	return page
}
