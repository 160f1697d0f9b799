package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/trainer"
)

// sweepGrace is how long a run has for its checkpoint when the sweep is interrupted.
const sweepGrace = 30 * time.Second

func sweepCommand() *cli.Command {
	return &cli.Command{
		Name:      "sweep",
		Usage:     "train a recipe with every combination of settings; run again to go on",
		ArgsUsage: "RECIPE key=value,value... key=1..5...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Usage: "pictures, where the recipe names none"},
			&cli.IntFlag{Name: "jobs", Aliases: []string{"j"}, Usage: "runs at a time", Value: 1},
			outputFlag("runs/RECIPE-sweep"),
			jsonFlag(),
		},
		Action: sweep,
	}
}

// A sweepLine is a run of a sweep in its table and sweep.json.
type sweepLine struct {
	Name     string          `json:"name"`
	Run      string          `json:"run"` // its folder
	Error    string          `json:"error,omitempty"`
	Accuracy float64         `json:"accuracy"`
	Loss     float64         `json:"valid_loss"`
	Seconds  float64         `json:"seconds"`
	Recipe   *trainer.Recipe `json:"recipe"`
}

func sweep(c *cli.Context) error {
	if c.NArg() < 2 {
		return usagef("sweep takes RECIPE and settings key=value,value or key=1..5, such as: orrery sweep recipe.yaml lr=1e-3,3e-3 seed=1..5")
	}
	if c.Int("jobs") < 1 {
		return usagef("jobs is %d; it must be at least 1", c.Int("jobs"))
	}
	path := c.Args().First()
	base, err := trainer.LoadRecipe(path, trainer.Article())
	if err != nil {
		return usageError{err}
	}
	if c.IsSet("data") {
		base.Data = c.String("data")
	}
	variants, err := trainer.Sweep(base, c.Args().Slice()[1:])
	if err != nil {
		return usageError{err}
	}
	for _, v := range variants {
		if v.Recipe.Data == "" {
			return usagef("no data was given: name it in the recipe, or with --data")
		}
	}
	dir := c.String("output")
	if dir == "" {
		dir = filepath.Join("runs", runName(path)+"-sweep")
	}
	lines, err := runSweep(c, dir, variants)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, lines)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"settings", "accuracy", "valid loss", "seconds", "run"})
	failed := 0
	for _, l := range lines {
		if l.Error != "" {
			failed++
			t.AppendRow(table.Row{l.Name, printable(l.Error), "", "", l.Run})
			continue
		}
		t.AppendRow(table.Row{l.Name, fmt.Sprintf("%.4f", l.Accuracy), fmt.Sprintf("%.4f", l.Loss), fmt.Sprintf("%.1f", l.Seconds), l.Run})
	}
	fmt.Fprintln(c.App.Writer, t.Render())
	if failed > 0 {
		return fmt.Errorf("%d of %d runs failed; the same command tries them again", failed, len(lines))
	}
	return nil
}

// runSweep trains what is left to train, and keeps sweep.json up to date.
func runSweep(c *cli.Context, dir string, variants []trainer.Variant) ([]sweepLine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lines := make([]sweepLine, len(variants))
	for i, v := range variants {
		lines[i] = sweepLine{Name: v.Name, Run: filepath.Join(dir, strings.NewReplacer(" ", ",", "/", "_").Replace(v.Name)), Recipe: &v.Recipe}
	}
	for _, l := range lines {
		if err := l.fits(); err != nil {
			return nil, err
		}
	}
	var mutex sync.Mutex
	group, ctx := errgroup.WithContext(c.Context)
	group.SetLimit(c.Int("jobs"))
	for i := range lines {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			line := lines[i]
			err := line.train(ctx, c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			line.Error = ""
			if err != nil {
				line.Error = oneLine(err)
			}
			mutex.Lock()
			defer mutex.Unlock()
			lines[i] = line
			return atomicfile.WriteJSON(filepath.Join(dir, "sweep.json"), lines)
		})
	}
	return lines, group.Wait()
}

// fits refuses a folder with a run of another recipe, whose result would pass for this one's.
func (l *sweepLine) fits() error {
	if !trainer.HoldsRun(l.Run) {
		return nil
	}
	there, err := trainer.RunRecipe(l.Run)
	if err != nil {
		return err
	}
	old, err1 := there.YAML()
	wanted, err2 := l.Recipe.YAML()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !bytes.Equal(old, wanted) {
		return fmt.Errorf("%s holds a run of another recipe; remove it, or give another --output", l.Run)
	}
	return nil
}

// train runs one variant in a process of its own, unless it is done.
func (l *sweepLine) train(ctx context.Context, c *cli.Context) error {
	if l.read() == nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"train", "--resume", l.Run, "--json"}
	if !trainer.Unfinished(l.Run) {
		// A run that ended before its first checkpoint begins anew.
		if err := os.RemoveAll(l.Run); err != nil {
			return err
		}
		recipe, err := l.Recipe.YAML()
		if err == nil {
			err = atomicfile.Write(l.Run+".yaml", recipe)
		}
		if err != nil {
			return err
		}
		args = []string{"train", l.Recipe.Data, "--recipe", l.Run + ".yaml", "--output", l.Run, "--json"}
	}
	fmt.Fprintf(c.App.ErrWriter, "orrery: %s\n", l.Name)
	var complaint bytes.Buffer
	run := exec.CommandContext(ctx, self, args...)
	run.Stderr = &complaint
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = sweepGrace
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C comes through us, once
	if err := run.Run(); err != nil {
		text := strings.TrimSpace(complaint.String())
		return fmt.Errorf("%w: %s", err, text[strings.LastIndex(text, "\n")+1:])
	}
	return l.read()
}

// read takes the result of a finished run.
func (l *sweepLine) read() error {
	text, err := os.ReadFile(filepath.Join(l.Run, "result.json"))
	if err != nil {
		return err
	}
	var result trainer.Result
	if err := json.Unmarshal(text, &result); err != nil {
		return errors.Join(fmt.Errorf("%s: its result cannot be read", l.Run), err)
	}
	l.Accuracy, l.Loss, l.Seconds = result.Accuracy, result.ValidLoss, result.Seconds
	return nil
}
