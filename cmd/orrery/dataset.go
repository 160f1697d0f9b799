package main

import (
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
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

func storeFlag() cli.Flag {
	return &cli.StringFlag{Name: "store", Usage: "keep decoded pictures from run to run below `DIR`; off keeps them in memory only", DefaultText: "in the user's cache"}
}

// keepPictures gives the set's decoded pictures, for a training in a world or alone, as --store keeps them. The
// caller closes them before the set.
func keepPictures(c *cli.Context, recipe trainer.Recipe, set *data.Dataset, world *trainer.World) (data.Pictures, error) {
	return recipe.OpenPictures(set, c.String("store"), world, newLogger(c.App.ErrWriter))
}
