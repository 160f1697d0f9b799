package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
)

// newLogger writes short lines for people to w.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(consoleHandler(w))
}

func consoleHandler(w io.Writer) slog.Handler {
	return tint.NewTextHandler(w, &tint.Options{
		TimeFormat: time.TimeOnly,
		NoColor:    !isTerminal(w) || os.Getenv("NO_COLOR") != "",
	})
}

// runLogger writes to w and, as JSON lines, to the run's log file.
func runLogger(w io.Writer, path string) (*slog.Logger, io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	return slog.New(bothHandlers{consoleHandler(w), slog.NewJSONHandler(f, nil)}), f, nil
}

// bothHandlers hands every record to two handlers.
type bothHandlers [2]slog.Handler

func (b bothHandlers) Enabled(ctx context.Context, level slog.Level) bool {
	return b[0].Enabled(ctx, level) || b[1].Enabled(ctx, level)
}

func (b bothHandlers) Handle(ctx context.Context, r slog.Record) error {
	return errors.Join(b[0].Handle(ctx, r.Clone()), b[1].Handle(ctx, r))
}

func (b bothHandlers) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bothHandlers{b[0].WithAttrs(attrs), b[1].WithAttrs(attrs)}
}

func (b bothHandlers) WithGroup(name string) slog.Handler {
	return bothHandlers{b[0].WithGroup(name), b[1].WithGroup(name)}
}
