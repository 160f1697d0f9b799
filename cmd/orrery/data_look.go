package main

import (
	"fmt"
	"image"
	"io"
	"math"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func pictureFlag() cli.Flag {
	return &cli.IntFlag{Name: "picture", Usage: "its place in the sorted set, from 0"}
}

// pictureIndex is --picture, which must be one of the set's.
func pictureIndex(c *cli.Context, set *data.Dataset) (int, error) {
	index := c.Int("picture")
	if index < 0 || index >= len(set.Samples) {
		return 0, usagef("picture is %d; the set has 0 to %d", index, len(set.Samples)-1)
	}
	return index, nil
}

func dataSummaryCommand() *cli.Command {
	return &cli.Command{
		Name: "summary", Usage: "follow one picture through every transform: shapes, ranges, times; then a batch, and what may fail", ArgsUsage: "DATA",
		Flags:  append(recipeFlags(), pictureFlag(), fileFlag("text or .json `FILE` to write"), jsonFlag()),
		Action: intoFile(dataSummary),
	}
}

// A pipelineSummary is what `data summary --json` prints.
type pipelineSummary struct {
	Path     string          `json:"path"`
	Class    string          `json:"class"`
	Stages   []augment.Stage `json:"stages"`
	Batch    *trainer.Look   `json:"batch"` // the first one
	Train    int             `json:"train_images"`
	Valid    int             `json:"valid_images"`
	Warnings []string        `json:"warnings"`
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
	index, err := pictureIndex(c, set)
	if err != nil {
		return err
	}
	s := pipelineSummary{Path: set.Samples[index].Path, Class: set.Classes[set.Samples[index].Label], Warnings: []string{}}
	if s.Stages, err = trainer.Explain(recipe, set, index); err != nil {
		return err
	}
	train, valid, warnings, err := trainer.Foresee(recipe, set)
	if err != nil {
		return err
	}
	s.Train, s.Valid, s.Warnings = train, valid, append(s.Warnings, warnings...)
	if train >= recipe.BatchSize {
		if s.Batch, err = trainer.FirstBatch(recipe, set, recipe.Pictures(set), recipe.BatchSize); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, s)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"transform", "shape", "dtype", "range", "ms", ""})
	for _, stage := range s.Stages {
		t.AppendRow(table.Row{stage.Name, fmt.Sprint(stage.Shape), stage.Dtype, fmt.Sprintf("%.4g to %.4g", stage.Min, stage.Max), fmt.Sprintf("%.3f", stage.Milliseconds), stage.What})
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s (%s)\n%s\n", printable(s.Path), printable(s.Class), t.Render())
	if s.Batch != nil {
		fmt.Fprintf(&out, "first batch: %s; %d pictures to train on, %d to validate on\n", describeBatch(s.Batch), s.Train, s.Valid)
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(&out, "warning: %s\n", printable(warning))
	}
	_, err = io.WriteString(c.App.Writer, out.String())
	return err
}

func describeBatch(l *trainer.Look) string {
	return fmt.Sprintf("%v %s, %.4g to %.4g, mean of red %.3f, green %.3f, blue %.3f", l.Shape, l.Dtype, l.Min, l.Max, l.Mean[0], l.Mean[1], l.Mean[2])
}

func dataShowCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "draw the first pictures of a training batch, as fastai's show_batch", ArgsUsage: "DATA",
		Flags: append(recipeFlags(), &cli.IntFlag{Name: "pictures", Aliases: []string{"n"}, Value: showBatchPictures, Usage: "how many"},
			uniqueFlag(), fileFlag(".png or .html `FILE` to write, instead of the terminal or show-batch.png"), jsonFlag()),
		Action: dataShow,
	}
}

func dataBatchCommand() *cli.Command {
	return &cli.Command{
		Name: "batch", Usage: "the first training batch in numbers, and drawn with -o", ArgsUsage: "DATA",
		Flags:  append(recipeFlags(), uniqueFlag(), fileFlag(".png or .html `FILE` to draw it in"), jsonFlag()),
		Action: dataBatch,
	}
}

func uniqueFlag() cli.Flag {
	return &cli.BoolFlag{Name: "unique", Usage: "one picture, as training sees it epoch after epoch"}
}

// lookAt opens the set and looks at n pictures of its first batch.
func lookAt(c *cli.Context, n func(trainer.Recipe) int) (*trainer.Look, error) {
	recipe, err := recipeOf(c, trainer.Article())
	if err != nil {
		return nil, err
	}
	set, err := openSet(c, recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return nil, err
	}
	defer set.Close()
	if c.Bool("unique") {
		return trainer.UniquePicture(recipe, set, recipe.Pictures(set), n(recipe))
	}
	return trainer.FirstBatch(recipe, set, recipe.Pictures(set), n(recipe))
}

// gridOf draws a batch as fastai does: as square as can be.
func gridOf(c *cli.Context, l *trainer.Look) drawing {
	columns := int(math.Ceil(math.Sqrt(float64(len(l.Images)))))
	return drawing{
		picture: func() image.Image { return report.Grid(l.Images, l.Classes, columns, showBatchCell) },
		html: func(w io.Writer) error {
			return report.WriteGridHTML(w, "A training batch of "+c.Args().First(), l.Images, l.Classes, columns)
		},
	}
}

func dataShow(c *cli.Context) error {
	n := c.Int("pictures")
	if n < 1 || n > 1024 {
		return usagef("pictures is %d; it must be between 1 and 1024", n)
	}
	l, err := lookAt(c, func(trainer.Recipe) int { return n })
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, l)
	}
	grid := gridOf(c, l)
	if done, err := draw(c, grid); done || err != nil {
		return err
	}
	const path = "show-batch.png"
	if err := writePNG(path, grid.picture()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, path)
	return err
}

func dataBatch(c *cli.Context) error {
	l, err := lookAt(c, func(r trainer.Recipe) int { return r.BatchSize })
	if err != nil {
		return err
	}
	if c.String("output") != "" {
		_, err := draw(c, gridOf(c, l))
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, l)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "picture", "label", "class"})
	for i, path := range l.Paths {
		class := printable(l.Classes[i])
		if l.Shares != nil {
			class = fmt.Sprintf("%s %.2f, label %d %.2f", class, l.Shares[i], l.Partners[i], 1-l.Shares[i])
		}
		t.AppendRow(table.Row{i, printable(path), l.Labels[i], class})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\n%s; labels [%d] int64\n", t.Render(), describeBatch(l), len(l.Labels))
	return err
}
