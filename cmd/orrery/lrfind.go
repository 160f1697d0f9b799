package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func lrFindCommand() *cli.Command {
	return &cli.Command{
		Name:      "lr-find",
		Usage:     "train for up to 100 steps at growing rates and suggest one; keeps nothing but the curve",
		ArgsUsage: "DATA",
		Flags:     append(recipeFlags(), outputFlag("runs/NAME-lr-find, then NAME-lr-find-2, ..."), jsonFlag()),
		Action:    lrFind,
	}
}

func lrFind(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("lr-find takes one DATA, not %q", c.Args().Slice())
	}
	recipe, err := recipeOf(c, trainer.Article())
	if err != nil {
		return err
	}
	log := newLogger(c.App.ErrWriter)
	set, err := openSet(c, recipe.Data, log)
	if err != nil {
		return err
	}
	defer set.Close()
	pictures, err := recipe.OpenPictures(set, data.StoreOff, nil, log)
	if err != nil {
		return err
	}
	defer pictures.Close()
	found, err := findLR(c, recipe, set, pictures)
	if err != nil {
		return err
	}
	dir := c.String("output")
	if dir == "" {
		if dir, err = trainer.FreshDir(filepath.Join("runs", runName(recipe.Data)+"-lr-find")); err != nil {
			return err
		}
	}
	if err := writeLRFind(dir, found); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, found)
	}
	for _, name := range report.SuggestionNames() {
		if rate, ok := found.Suggestions[name]; ok {
			fmt.Fprintf(c.App.Writer, "%-8s %.2e\n", name, rate)
		}
	}
	fmt.Fprintf(c.App.Writer, "curve: %s\n", filepath.Join(dir, lrFindPlot+".png"))
	rate, err := found.Rate()
	if err == nil {
		_, err = fmt.Fprintf(c.App.Writer, "use: --lr %.2e\n", rate)
	}
	return err
}

// findLR runs the finder with a bar beside it.
func findLR(c *cli.Context, recipe trainer.Recipe, set *data.Dataset, pictures augment.Source) (*trainer.LRFind, error) {
	bar := newEpochTable(io.Discard, c.App.ErrWriter)
	defer bar.close()
	return trainer.FindLR(c.Context, recipe, set, trainer.Options{
		Pictures: pictures, Log: newLogger(c.App.ErrWriter), Started: started, Watchers: []trainer.Watcher{bar},
	})
}

// lrFindPlot is the name of the curve's files, without endings; the run's page takes it from plots/.
const lrFindPlot = "lr-find"

// writeLRFind draws the curve into a folder, with its numbers beside it.
func writeLRFind(folder string, found *trainer.LRFind) error {
	if err := report.WriteLRFind(folder, lrFindPlot, report.LRFind(*found)); err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(folder, lrFindPlot+".json"), found)
}

// findRate sets a new run's rate to the finder's suggestion when --lr auto asks
// for it. A resumed run has its rate already; then, and without auto, found is nil.
func (j *training) findRate(c *cli.Context, set *data.Dataset, pictures augment.Source) (found *trainer.LRFind, err error) {
	if c.String("lr") != autoRate || j.checkpoint != nil {
		return nil, nil
	}
	text, err := share(j.world, "the learning rate", func() (string, error) {
		found, err := findLR(c, j.recipe, set, pictures)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(found)
		return string(text), err
	})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, err
	}
	if j.recipe.LearningRate, err = found.Rate(); err != nil {
		return nil, err
	}
	worldLogger(j.world, c.App.ErrWriter).Info("learning rate found", "lr", fmt.Sprintf("%.3g", j.recipe.LearningRate), "by", trainer.DefaultSuggestion)
	return found, nil
}
