package main

import (
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
)

// openSet opens the pictures and says in the log what was found.
func openSet(c *cli.Context, source string, log *slog.Logger) (*data.Dataset, error) {
	set, err := data.Open(c.Context, source, data.Options{Log: log})
	if err != nil {
		return nil, err
	}
	for _, s := range set.Skipped {
		log.Warn("picture left out", "path", s.Path, "reason", s.Reason)
	}
	log.Info("pictures found", "data", source, "images", len(set.Samples), "classes", len(set.Classes), "skipped", len(set.Skipped))
	return set, nil
}
