package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:      "train",
		Usage:     "train one model and write a run folder with its report",
		ArgsUsage: "DATA",
		Flags: append(recipeFlags(),
			&cli.StringFlag{Name: "resume", Usage: "continue from the last checkpoint of `RUN`, or auto for the newest unfinished run of this data"},
			outputFlag("runs/NAME, then NAME-2, ..."),
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
	job, err := openTraining(c)
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

// A training is one run of the train verb: a recipe, a folder to write and,
// when it continues, the checkpoint to start from.
type training struct {
	recipe     trainer.Recipe
	dir        string
	scope      *torch.Scope // holds the checkpoint; nil for a new run
	checkpoint *trainer.Checkpoint
	carryFrom  string // run folder whose weights to start from; "" draws all
}

func (j *training) close() {
	if j.scope != nil {
		j.scope.Close()
	}
}

// openTraining decides recipe and folder from the flags.
func openTraining(c *cli.Context) (*training, error) {
	resume := c.String("resume")
	if resume == "auto" {
		recipe, err := recipeOf(c, trainer.Article())
		if err != nil {
			return nil, err
		}
		if resume, err = unfinishedRun(c, recipe); err != nil {
			return nil, err
		}
	}
	if resume == "" {
		recipe, err := recipeOf(c, trainer.Article())
		if err != nil {
			return nil, err
		}
		dir := c.String("output")
		if dir == "" {
			dir, err = trainer.FreshDir(filepath.Join("runs", runName(recipe.Data)))
		}
		return &training{recipe: recipe, dir: dir}, err
	}
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	job := &training{dir: resume, scope: torch.NewScope()}
	var err error
	if job.checkpoint, err = trainer.ReadCheckpoint(resume); err == nil {
		job.recipe, err = recipeOf(c, job.checkpoint.Recipe())
	}
	if err != nil {
		job.close()
		return nil, err
	}
	return job, nil
}

// unfinishedRun finds the run that --resume auto continues: --output when it
// is given, else the newest run of this data; "" when there is none to continue.
func unfinishedRun(c *cli.Context, recipe trainer.Recipe) (string, error) {
	candidates := []string{c.String("output")}
	if candidates[0] == "" {
		base := filepath.Join("runs", runName(recipe.Data))
		fresh, err := trainer.FreshDir(base)
		if err != nil {
			return "", err
		}
		candidates = nil
		for i := 1; ; i++ {
			dir := base
			if i > 1 {
				dir = fmt.Sprintf("%s-%d", base, i)
			}
			if dir == fresh {
				break
			}
			candidates = append([]string{dir}, candidates...)
		}
	}
	for _, dir := range candidates {
		if trainer.Unfinished(dir) {
			return dir, nil
		}
	}
	return "", nil
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
	set, err := openSet(c, j.recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return j.runOn(c, set, data.NewCache(set, 0), watchers...)
}

// runOn trains on a set that is open, with its decoded pictures.
func (j *training) runOn(c *cli.Context, set *data.Dataset, pictures *data.Cache, watchers ...trainer.Watcher) (result *trainer.Result, err error) {
	folder, err := j.openFolder(set)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	log, logFile, err := runLogger(c.App.ErrWriter, folder.LogPath())
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	result, err = trainer.Fit(c.Context, j.recipe, set, trainer.Options{
		Run: folder, Pictures: pictures, Resume: j.checkpoint, CarryFrom: j.carryFrom, Watchers: watchers, Log: log,
		Started: started, Commit: commit, Command: os.Args,
	})
	if errors.Is(err, trainer.ErrStopped) {
		return nil, fmt.Errorf("%w; continue with: orrery train --resume %s", err, j.dir)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(drawShowBatch(folder, j.recipe, set, pictures), drawTopLosses(folder, set, pictures)); err != nil {
		log.Warn("a picture of the report is missing", "reason", err)
	}
	_, err = report.Write(j.dir)
	return result, err
}

// openFolder makes or reopens the run folder.
func (j *training) openFolder(set *data.Dataset) (*trainer.Run, error) {
	if j.checkpoint == nil {
		return trainer.NewRun(j.dir, j.recipe)
	}
	if err := j.checkpoint.Fits(set, j.recipe); err != nil {
		return nil, err
	}
	return trainer.ContinueRun(j.dir, j.checkpoint.Step())
}
