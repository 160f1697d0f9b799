package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:      "train",
		Usage:     "train one model and write a run folder with its report",
		ArgsUsage: "DATA",
		Flags: append(slices.Concat(recipeFlags(), durableFlags(), worldFlags(), seeingFlags()),
			outputFlag("runs/NAME, then NAME-2, ..."),
			storeFlag(),
			&cli.BoolFlag{Name: "print-recipe", Usage: "print the recipe and stop"},
			jsonFlag(),
		),
		Action: train,
	}
}

func outputFlag(defaultText string) cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "run folder `DIR`", DefaultText: defaultText}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object to standard output"}
}

func train(c *cli.Context) error {
	if c.NArg() > 1 {
		return usagef("train takes one DATA, not %q", c.Args().Slice())
	}
	if launches(c) {
		return launchTraining(c)
	}
	world, err := joinWorld(c)
	if err != nil {
		return err
	}
	err = trainIn(c, world)
	world.Leave(err)
	return err
}

// trainIn is train in a world, or alone.
func trainIn(c *cli.Context, world *trainer.World) error {
	job, err := openTraining(c, world)
	if err != nil {
		return err
	}
	defer job.close()
	if c.Bool("print-recipe") {
		text, err := job.recipe.YAML()
		if err == nil {
			_, err = c.App.Writer.Write(text)
		}
		return err
	}
	if !world.Writes() {
		_, err := job.run(c)
		return err
	}
	table := newEpochTable(tableWriter(c), c.App.ErrWriter)
	result, err := job.run(c, table)
	table.close()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, result)
	}
	fmt.Fprintf(c.App.Writer, "accuracy %.4f on %d pictures; %.0f img/s, %.1f %% of it waiting for data; report: %s\n",
		result.Accuracy, result.ValidImages, result.ImagesPerSecond, 100*result.DataWaitFraction, filepath.Join(job.dir, "report.html"))
	if t := result.TestTime; t != nil {
		fmt.Fprintf(c.App.Writer, "with test-time augmentation, %d passes: accuracy %.4f, loss %.4f\n", t.Passes, t.Accuracy, t.Loss)
	}
	return nil
}

// tableWriter is where tables for people go: nowhere when JSON was asked for.
func tableWriter(c *cli.Context) io.Writer {
	if c.Bool("json") {
		return io.Discard
	}
	return c.App.Writer
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// runName is the data's own name: the folder's, or the archive's without its ending.
func runName(source string) string {
	absolute, err := filepath.Abs(source)
	if err != nil {
		absolute = source
	}
	name := filepath.Base(absolute)
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// run trains the job's recipe and writes its report.
func (j *training) run(c *cli.Context, watchers ...trainer.Watcher) (*trainer.Result, error) {
	set, err := j.openSharedSet(c)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	pictures, err := keepPictures(c, j.recipe, set, j.world)
	if err != nil {
		return nil, err
	}
	defer pictures.Close()
	return j.runOn(c, set, pictures, watchers...)
}

// runOn trains on a set that is open, with its decoded pictures.
func (j *training) runOn(c *cli.Context, set *data.Dataset, pictures data.Pictures, watchers ...trainer.Watcher) (result *trainer.Result, err error) {
	found, err := j.findRate(c, set, pictures)
	if err != nil {
		return nil, err
	}
	folder, err := j.openFolder(c, set)
	if err != nil {
		return nil, err
	}
	defer j.keepMirror(c)() // its end comes after the folder's
	defer func() { err = errors.Join(err, folder.Close()) }()
	if found != nil && folder != nil {
		if err := writeLRFind(filepath.Join(j.dir, "plots"), found); err != nil {
			return nil, err
		}
	}
	log := worldLogger(j.world, c.App.ErrWriter)
	if folder != nil {
		both, logFile, err := runLogger(c.App.ErrWriter, folder.LogPath())
		if err != nil {
			return nil, err
		}
		defer logFile.Close()
		log = both
	}
	step := 0
	if j.checkpoint != nil {
		step = j.checkpoint.Step()
	}
	seen, err := openSeeing(c, folder, step, log)
	if err != nil {
		return nil, err
	}
	defer seen.stopPage()
	watchers = append(watchers, seen.watchers...)
	result, err = trainer.Fit(c.Context, j.recipe, set, trainer.Options{
		Run: folder, Pictures: pictures, Resume: j.checkpoint, CarryFrom: j.carryFrom, Watchers: watchers, Log: log,
		Saving: j.saving, OnNaN: j.onNaN, World: j.world, Started: started, Commit: commit, Command: os.Args,
	})
	seen.finishLayers()
	if errors.Is(err, trainer.ErrStopped) {
		return nil, fmt.Errorf("%w; continue with: orrery train --resume %s", err, j.dir)
	}
	if err != nil {
		return nil, err
	}
	if folder == nil {
		return result, nil
	}
	if err := errors.Join(drawShowBatch(folder, j.recipe, set, pictures), drawTopLosses(folder, set, pictures)); err != nil {
		log.Warn("a picture of the report is missing", "reason", err)
	}
	_, err = report.Write(j.dir)
	writeRecords(c, j.dir, log)
	return result, err
}
