package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/trainer"
)

// The exit codes that scripts and schedulers rely on.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
	exitTerminated  = 143
	exitPeer        = 203 // another process of the training is gone; 128 + EX_TEMPFAIL: schedulers try again
)

// A usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is main without the process: it parses args, runs one verb and gives the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := interruptible(stderr)
	defer stop()
	err := newApp(stdout, stderr).RunContext(ctx, reorder(args))
	if err == nil {
		return exitOK
	}
	if code, ok := exitCodeIn(err); ok {
		fmt.Fprintf(stderr, "orrery: %s%s\n", oneLine(err), peerNote(err))
		return code
	}
	var interrupt interruption
	if errors.As(context.Cause(ctx), &interrupt) && !errors.Is(err, trainer.ErrNotSaved) {
		fmt.Fprintf(stderr, "orrery: %v\n", err)
		return interrupt.exitCode()
	}
	fmt.Fprintf(stderr, "orrery: %s\n", oneLine(err))
	switch {
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, trainer.ErrStopped): // on the live page
		return exitInterrupted
	}
	return exitFailed
}

// newApp lists the verbs.
func newApp(stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:                   "orrery",
		Usage:                  "train image classifiers from a folder of photos",
		Version:                commit,
		Writer:                 stdout,
		ErrWriter:              stderr,
		HideHelpCommand:        true,
		UseShortOptionHandling: true,
		EnableBashCompletion:   true,
		ExitErrHandler:         func(*cli.Context, error) {}, // run gives the code
		OnUsageError:           explainUsage,
		Action:                 unknownVerb,
		Commands:               verbs(),
	}
}

func verbs() []*cli.Command {
	commands := []*cli.Command{
		trainCommand(), ladderCommand(), lrFindCommand(), evaluateCommand(), interpretCommand(), activationsCommand(), predictCommand(), reportCommand(),
		compareCommand(), watchCommand(), dataCommand(), planetsCommand(),
		collectCommand(), cleanCommand(), packCommand(), unpackCommand(),
		modelsCommand(), recipesCommand(), sweepCommand(), exportCommand(), serveCommand(), benchCommand(), doctorCommand(),
	}
	for _, command := range commands {
		command.OnUsageError = explainUsage
		for _, sub := range command.Subcommands {
			sub.OnUsageError = explainUsage
		}
	}
	return commands
}

// unknownVerb answers `orrery` alone with help, and a word that is no verb with the nearest one.
func unknownVerb(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	var names []string
	for _, command := range c.App.Commands {
		names = append(names, command.Name)
	}
	word := c.Args().First()
	if near := trainer.Nearest(word, names); near != "" {
		return usagef("there is no verb %q; did you mean %q?", word, near)
	}
	return usagef("there is no verb %q; the verbs are %s", word, strings.Join(names, ", "))
}

// explainUsage names the nearest flag to an unknown one.
func explainUsage(c *cli.Context, err error, _ bool) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return usageError{err}
	}
	name = strings.TrimLeft(name, "-")
	var names []string
	flags := c.App.Flags
	if c.Command != nil {
		flags = append(flags, c.Command.Flags...)
	}
	for _, flag := range flags {
		names = append(names, flag.Names()...)
	}
	if near := trainer.Nearest(name, names); near != "" {
		return usagef("there is no flag --%s; did you mean --%s?", name, near)
	}
	return usagef("there is no flag --%s; see orrery %s --help", name, c.Command.Name)
}

// oneLine keeps an error's report to one line, whatever a library put into it.
func oneLine(err error) string {
	var parts []string
	for _, line := range strings.Split(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// An interruption is the signal that ended the run's context.
type interruption struct{ os.Signal }

func (i interruption) Error() string { return i.String() }

func (i interruption) exitCode() int {
	if i.Signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}

// interruptible gives a context that the first SIGINT or SIGTERM ends; the
// second signal ends the process at once.
func interruptible(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for received := range signals {
			interrupt := interruption{received}
			if ctx.Err() != nil {
				os.Exit(interrupt.exitCode())
			}
			fmt.Fprintf(stderr, "\norrery: %s: coming to an end in good order; again to leave at once\n", received)
			cancel(interrupt)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}
