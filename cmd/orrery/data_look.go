package main

import (
	"fmt"
	"math"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func dataSummaryCommand() *cli.Command {
	return &cli.Command{
		Name: "summary", Usage: "follow one picture through every transform: shapes, ranges, times", ArgsUsage: "DATA",
		Flags:  append(recipeFlags(), &cli.IntFlag{Name: "picture", Usage: "its place in the sorted set, from 0"}, jsonFlag()),
		Action: dataSummary,
	}
}

func dataSummary(c *cli.Context) error {
	recipe, err := recipeOf(c, trainer.Article())
	if err != nil {
		return err
	}
	set, err := openSet(c, recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return err
	}
	defer set.Close()
	index := c.Int("picture")
	if index < 0 || index >= len(set.Samples) {
		return usagef("picture is %d; the set has 0 to %d", index, len(set.Samples)-1)
	}
	stages, err := trainer.Explain(recipe, set, index)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, stages)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"transform", "shape", "dtype", "range", "ms", ""})
	for _, s := range stages {
		t.AppendRow(table.Row{s.Name, fmt.Sprint(s.Shape), s.Dtype, fmt.Sprintf("%.4g to %.4g", s.Min, s.Max), fmt.Sprintf("%.3f", s.Milliseconds), s.What})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s (%s)\n%s\n", printable(set.Samples[index].Path), printable(set.Classes[set.Samples[index].Label]), t.Render())
	return err
}

func dataShowCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "draw the first pictures of a training batch, as fastai's show_batch", ArgsUsage: "DATA",
		Flags: append(recipeFlags(), &cli.IntFlag{Name: "pictures", Aliases: []string{"n"}, Value: showBatchPictures, Usage: "how many"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "show-batch.png", Usage: "PNG `FILE` to write"}),
		Action: dataShow,
	}
}

func dataShow(c *cli.Context) error {
	recipe, err := recipeOf(c, trainer.Article())
	if err != nil {
		return err
	}
	n := c.Int("pictures")
	if n < 1 || n > 1024 {
		return usagef("pictures is %d; it must be between 1 and 1024", n)
	}
	set, err := openSet(c, recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return err
	}
	defer set.Close()
	images, titles, err := trainer.FirstPictures(recipe, set, recipe.Pictures(set), n)
	if err != nil {
		return err
	}
	path := c.String("output")
	if err := writePNG(path, report.Grid(images, titles, int(math.Sqrt(float64(n))), showBatchCell)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, path)
	return err
}
