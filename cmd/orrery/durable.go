package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/mirror"
	"github.com/wangkuiyi/orrery/trainer"
)

// durableFlags say what becomes of a training that is stopped, killed or spoilt.
func durableFlags() []cli.Flag {
	d := trainer.DefaultSaving()
	return []cli.Flag{
		&cli.StringFlag{Name: "resume", Usage: "continue from the last checkpoint of `RUN`, or auto for the newest unfinished run of this data"},
		&cli.StringSliceFlag{Name: "accept-changes", Usage: fmt.Sprintf("with --resume, go on although these `KINDS` changed since the checkpoint: %s", kindsOfChanges())},
		&cli.StringFlag{Name: "save-every", Usage: "write a checkpoint this often: a time, Nsteps, Nepochs, several with commas, or never", Value: "5m,1epoch"},
		&cli.IntFlag{Name: "keep-checkpoints", Usage: "how many of the newest are kept, besides the best", Value: d.Keep},
		&cli.StringFlag{Name: "on-nan", Usage: "when a loss is not finite: " + strings.Join(trainer.OnNaNNames(), ", "), Value: trainer.OnNaNStop},
		&cli.DurationFlag{Name: "disk-patience", Usage: "how long the end of a training waits for a disk or a bucket that refuses its results", Value: d.Patience},
		mirrorFlag(),
	}
}

func kindsOfChanges() string {
	var words []string
	for _, c := range trainer.Changes() {
		words = append(words, string(c))
	}
	return strings.Join(words, ", ")
}

// A training is one run of the train verb: a recipe, a folder to write and,
// when it continues, the checkpoint to start from.
type training struct {
	recipe     trainer.Recipe
	dir        string
	scope      *torch.Scope // holds the checkpoint; nil for a new run
	checkpoint *trainer.Checkpoint
	restart    bool   // the folder's run stopped before its first checkpoint
	carryFrom  string // run folder whose weights to start from; "" draws all
	saving     trainer.Saving
	onNaN      string
	accepted   []trainer.Change
	world      *trainer.World // nil for a process alone
	mirror     *mirror.Folder // nil where there is no bucket, or another process writes
}

func (j *training) close() {
	if j.scope != nil {
		j.scope.Close()
	}
}

// openTraining decides recipe and folder from the flags.
func openTraining(c *cli.Context, world *trainer.World) (*training, error) {
	job := &training{onNaN: c.String("on-nan"), world: world}
	var err error
	if job.saving, err = savingOf(c); err != nil {
		return nil, err
	}
	if !slices.Contains(trainer.OnNaNNames(), job.onNaN) {
		return nil, usagef("on-nan is %q; it must be one of %s", job.onNaN, strings.Join(trainer.OnNaNNames(), ", "))
	}
	if job.accepted, err = trainer.ParseChanges(c.StringSlice("accept-changes")); err != nil {
		return nil, usageError{err}
	}
	resume := c.String("resume")
	if resume == "auto" {
		recipe, err := recipeOf(c, trainer.Article())
		if err != nil {
			return nil, err
		}
		if resume, err = share(world, "the run to continue", func() (string, error) {
			if err := job.openMirror(c, c.String("output"), true); err != nil {
				return "", err
			}
			return unfinishedRun(c, recipe)
		}); err != nil {
			return nil, err
		}
	}
	if resume == "" {
		return job, job.fresh(c)
	}
	if err := job.resume(c, resume); err != nil {
		job.close()
		return nil, err
	}
	return job, nil
}

func savingOf(c *cli.Context) (trainer.Saving, error) {
	saving, err := trainer.DefaultSaving().ParseSaveEvery(c.String("save-every"))
	if err != nil {
		return saving, usageError{err}
	}
	if saving.Keep = c.Int("keep-checkpoints"); saving.Keep < 1 {
		return saving, usagef("keep-checkpoints is %d; it must be at least 1", saving.Keep)
	}
	saving.Patience = c.Duration("disk-patience")
	return saving, nil
}

// fresh prepares a run from the beginning.
func (j *training) fresh(c *cli.Context) (err error) {
	if j.recipe, err = recipeOf(c, trainer.Article()); err != nil {
		return err
	}
	j.dir, err = share(j.world, "the run folder", func() (dir string, err error) {
		if dir = c.String("output"); dir == "" {
			dir, err = trainer.FreshDir(filepath.Join("runs", runName(j.recipe.Data)))
		}
		if err != nil {
			return "", err
		}
		return dir, j.openMirror(c, dir, false)
	})
	return err
}

// resume prepares to continue the run in dir.
func (j *training) resume(c *cli.Context, dir string) (err error) {
	if err := torch.LoadLibrary(); err != nil {
		return err
	}
	if _, err := share(j.world, "the run in the bucket", func() (string, error) { return "", j.openMirror(c, dir, true) }); err != nil {
		return err
	}
	j.dir, j.scope = dir, torch.NewScope()
	j.checkpoint, err = trainer.ReadCheckpointTogether(j.world, dir)
	if errors.Is(err, trainer.ErrNoCheckpoint) {
		return j.startAgain(c, err)
	}
	if err != nil {
		return err
	}
	for _, damaged := range j.checkpoint.Passed {
		worldLogger(j.world, c.App.ErrWriter).Warn("a checkpoint is damaged; an older one stands in", "reason", damaged, "instead", j.checkpoint.Path())
	}
	j.recipe, err = recipeOf(c, j.checkpoint.Recipe())
	return err
}

// startAgain prepares to begin a run anew that stopped before its first
// checkpoint; cause tells that there is none.
func (j *training) startAgain(c *cli.Context, cause error) error {
	text, err := share(j.world, "the recipe", func() (string, error) {
		if !trainer.Unfinished(j.dir) {
			return "", cause
		}
		recipe, err := trainer.RunRecipe(j.dir)
		if err != nil {
			return "", err
		}
		text, err := recipe.YAML()
		return string(text), err
	})
	if err != nil {
		return err
	}
	base, err := trainer.ParseRecipe([]byte(text), trainer.Article())
	if err != nil {
		return err
	}
	worldLogger(j.world, c.App.ErrWriter).Warn("the run stopped before its first checkpoint; it starts from the beginning", "run", j.dir)
	j.restart = true
	j.recipe, err = recipeOf(c, base)
	return err
}

// unfinishedRun finds the run that --resume auto continues: the one in --output
// when it is given, which may lack no more than its report, else the newest
// unfinished run of this data; "" when there is none to continue.
func unfinishedRun(c *cli.Context, recipe trainer.Recipe) (string, error) {
	if dir := c.String("output"); dir != "" {
		if !trainer.HoldsRun(dir) {
			return "", nil
		}
		return dir, nil
	}
	base := filepath.Join("runs", runName(recipe.Data))
	fresh, err := trainer.FreshDir(base)
	if err != nil {
		return "", err
	}
	var candidates []string
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
	for _, dir := range candidates {
		if trainer.Unfinished(dir) {
			return dir, nil
		}
	}
	return "", nil
}

// openFolder makes or reopens the run folder.
func (j *training) openFolder(c *cli.Context, set *data.Dataset) (*trainer.Run, error) {
	if j.checkpoint != nil {
		changes, err := j.checkpoint.Fits(set, j.recipe, commit, j.world.Size(), j.accepted...)
		if err != nil {
			return nil, err
		}
		for _, change := range changes {
			worldLogger(j.world, c.App.ErrWriter).Warn("changed since the checkpoint, and accepted", "change", change)
		}
	}
	switch {
	case !j.world.Writes():
		return nil, nil
	case j.restart:
		return trainer.RestartRun(j.dir, j.recipe)
	case j.checkpoint == nil:
		return trainer.NewRun(j.dir, j.recipe)
	}
	return trainer.ContinueRun(j.dir, j.checkpoint.Step())
}
