package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/trainer"
)

func recipesCommand() *cli.Command {
	return &cli.Command{
		Name:      "recipes",
		Usage:     "list the recipes that ship, with what they were measured at, or print one",
		ArgsUsage: "[NAME]",
		Flags:     []cli.Flag{jsonFlag()},
		Action:    recipes,
	}
}

func recipes(c *cli.Context) error {
	list, err := trainer.ShippedRecipes()
	if err != nil {
		return err
	}
	if c.NArg() > 1 {
		return usagef("recipes takes at most one NAME")
	}
	if name := c.Args().First(); name != "" {
		for _, r := range list {
			if r.Name == name {
				_, err := fmt.Fprint(c.App.Writer, r.YAML)
				return err
			}
		}
		return usagef("no recipe %q ships; see orrery recipes", name)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"recipe", "what it is", "command", "measured"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: 40}, {Number: 3, WidthMax: 50}, {Number: 4, WidthMax: 40}})
	for _, r := range list {
		t.AppendRow(table.Row{r.Name, r.About, r.Command, r.Measured})
	}
	_, err = fmt.Fprintln(c.App.Writer, t.Render())
	return err
}
