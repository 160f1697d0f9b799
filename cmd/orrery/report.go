package main

import (
	"fmt"
	"image"
	"image/png"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write a run's report.html anew",
		ArgsUsage: "RUN",
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usagef("report takes one RUN")
			}
			path, err := report.Write(c.Args().First())
			if err == nil {
				_, err = fmt.Fprintln(c.App.Writer, path)
			}
			return err
		},
	}
}

// showBatch is how fastai shows a batch: nine pictures in three columns.
const (
	showBatchPictures = 9
	showBatchColumns  = 3
	showBatchCell     = 224 // pixels
)

// drawShowBatch writes the first training pictures of epoch 0, as the network
// saw them, into the run's plots.
func drawShowBatch(run *trainer.Run, recipe trainer.Recipe, set *data.Dataset, pictures augment.Source) error {
	images, titles, err := trainer.FirstPictures(recipe, set, pictures, showBatchPictures)
	if err != nil {
		return err
	}
	path, err := run.PlotPath("show-batch.png")
	if err != nil {
		return err
	}
	return writePNG(path, report.Grid(images, titles, showBatchColumns, showBatchCell))
}

// drawTopLosses writes the pictures the network was most wrong about into the
// run's plots, plain and with what made it predict so.
func drawTopLosses(run *trainer.Run, set *data.Dataset, pictures augment.Source) error {
	loaded, err := report.Load(run.Dir)
	if err != nil || loaded.Evaluation == nil {
		return err
	}
	path, err := run.PlotPath("")
	if err != nil {
		return err
	}
	saved, err := trainer.OpenSaved(run.Dir, "auto")
	if err != nil {
		return err
	}
	defer saved.Close()
	worst := loaded.Evaluation.TopLosses
	return drawLosses(path, worst[:min(len(worst), showBatchPictures)], saved, set, pictures)
}

func writePNG(path string, picture image.Image) error {
	return atomicfile.Replace(path, func(temporary string) error {
		f, err := os.Create(temporary)
		if err != nil {
			return err
		}
		if err := png.Encode(f, picture); err != nil {
			f.Close()
			return err
		}
		return f.Close()
	})
}
