package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data/planets"
)

func planetsCommand() *cli.Command {
	return &cli.Command{
		Name:      "planets",
		Usage:     "render the default set: earth, jupiter, neptune and saturn",
		ArgsUsage: "DIR",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "pictures in all", Value: planets.DefaultCount},
			&cli.Int64Flag{Name: "seed", Usage: "seed of the renderer", Value: planets.DefaultSeed},
		},
		Action: renderPlanets,
	}
}

func renderPlanets(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("planets takes one DIR to render into")
	}
	dir := c.Args().First()
	err := planets.Render(c.Context, dir, planets.Options{Count: c.Int("count"), Seed: c.Int64("seed")})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%d pictures of %d planets in %s\n", c.Int("count"), len(planets.Classes), dir)
	return err
}
