package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

// worldFlags are about training by several processes.
func worldFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "nproc", Usage: "train with N processes on this machine, one for each GPU or share of the cores; torchrun, srun and others start several by themselves", Value: 1},
		&cli.StringFlag{Name: "interface", Usage: "network interface `NAME` to meet the other processes on", EnvVars: []string{"GLOO_SOCKET_IFNAME"}, DefaultText: "the one towards MASTER_ADDR"},
		&cli.DurationFlag{Name: "peer-timeout", Usage: "how long to wait for another process before leaving", Value: trainer.DefaultTimeout},
	}
}

// joinWorld meets the other processes that the environment tells of; nil when
// there are none.
func joinWorld(c *cli.Context) (*trainer.World, error) {
	place, err := trainer.FindPlace(os.Getenv)
	if err != nil {
		return nil, usageError{err}
	}
	if timeout := c.Duration("peer-timeout"); timeout < time.Second {
		return nil, usagef("peer-timeout is %v; it must be at least 1s", timeout)
	}
	return trainer.Join(c.Context, place, trainer.WorldOptions{Timeout: c.Duration("peer-timeout"), Interface: c.String("interface")})
}

// share gives every process the text that rank 0 finds.
func share(w *trainer.World, what string, find func() (string, error)) (string, error) {
	text := ""
	if w.Writes() {
		var err error
		if text, err = find(); err != nil {
			return "", err
		}
	}
	shared, err := w.Broadcast("sharing "+what, []byte(text))
	return string(shared), err
}

// worldLogger is where a process's log goes: all of it with rank 0, warnings
// with their rank's number from the others.
func worldLogger(w *trainer.World, out io.Writer) *slog.Logger {
	if w.Writes() {
		return newLogger(out)
	}
	return slog.New(atLeast{slog.LevelWarn, consoleHandler(out)}).With("rank", w.Rank())
}

// atLeast drops records below a level.
type atLeast struct {
	level slog.Level
	slog.Handler
}

func (a atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= a.level && a.Handler.Enabled(ctx, level)
}

func (a atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{a.level, a.Handler.WithAttrs(attrs)}
}

func (a atLeast) WithGroup(name string) slog.Handler {
	return atLeast{a.level, a.Handler.WithGroup(name)}
}

// openSharedSet is openSet, by one process of a machine before the others: the
// default set is then rendered, and an archive read, once.
func (j *training) openSharedSet(c *cli.Context) (set *data.Dataset, err error) {
	log := worldLogger(j.world, c.App.ErrWriter)
	if j.world == nil {
		return openSet(c, j.recipe.Data, log)
	}
	first := j.world.LocalRank() == 0
	if first {
		if set, err = openSet(c, j.recipe.Data, log); err != nil {
			return nil, err
		}
	}
	if err := j.world.Agree("the name of the data", ""); err != nil { // a barrier
		return nil, err
	}
	if !first {
		return openSet(c, j.recipe.Data, log)
	}
	return set, nil
}

// peerNote tells what to do about an error that other processes caused.
func peerNote(err error) string {
	if !trainer.IsPeerError(err) {
		return ""
	}
	return fmt.Sprintf("; start the processes again with --resume auto to go on from the last checkpoint (exit code %d)", exitPeer)
}
