package main

import (
	"fmt"
	"image"
	"path/filepath"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func interpretCommand() *cli.Command {
	return &cli.Command{
		Name:      "interpret",
		Usage:     "tell where a trained run errs on a labelled set: scores, calibration, top losses, heat maps",
		ArgsUsage: "RUN DATA",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "split", Usage: "all pictures of DATA, or valid: those the run held out of the same DATA", Value: "all"},
			&cli.IntFlag{Name: "tta", Usage: "passes of test-time augmentation; 0 for none", Value: 4},
			&cli.IntFlag{Name: "top", Usage: "how many of the highest losses to show", Value: showBatchPictures},
			outputFlag("RUN/interpretation"), deviceFlag(), jsonFlag(),
		},
		Action: interpret,
	}
}

func interpret(c *cli.Context) error {
	switch {
	case c.NArg() != 2:
		return usagef("interpret takes RUN and DATA, such as: orrery interpret runs/planets photos")
	case c.String("split") != "all" && c.String("split") != "valid":
		return usagef("split is %q; it must be all or valid", c.String("split"))
	case c.Int("tta") < 0 || c.Int("tta") > trainer.MaxTTA:
		return usagef("tta is %d; it must be between 0 and %d", c.Int("tta"), trainer.MaxTTA)
	case c.Int("top") < 0 || c.Int("top") > 1000:
		return usagef("top is %d; it must be between 0 and 1000", c.Int("top"))
	}
	return withRunAndSet(c, func(saved *trainer.Saved, set *data.Dataset, skip func(int, error)) error {
		return interpretRun(c, saved, set, skip)
	})
}

// interpretRun evaluates a run on a set, writes what that shows, and prints it.
func interpretRun(c *cli.Context, saved *trainer.Saved, set *data.Dataset, skip func(int, error)) error {
	evaluation, err := evaluateSplit(c, saved, set, skip)
	if err != nil {
		return err
	}
	found, err := report.Interpret(evaluation.Classes, predictionsOf(evaluation), c.Int("top"))
	if err != nil {
		return fmt.Errorf("%s: %w", set.Source, err)
	}
	if passes := c.Int("tta"); passes > 0 {
		tta, err := saved.EvaluateTTA(c.Context, set, evaluation, passes)
		if err != nil {
			return err
		}
		found.TTAAccuracy, found.TTALoss = &tta.Accuracy, &tta.Loss
	}
	dir := c.String("output")
	if dir == "" {
		dir = filepath.Join(c.Args().First(), "interpretation")
	}
	if err := writeInterpretation(dir, found, saved, set); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, found)
	}
	return printInterpretation(c, found, dir)
}

func evaluateSplit(c *cli.Context, saved *trainer.Saved, set *data.Dataset, skip func(int, error)) (*trainer.Evaluation, error) {
	if c.String("split") == "all" {
		return saved.Evaluate(c.Context, set, skip)
	}
	held, err := saved.HeldOut(set)
	if err != nil {
		return nil, err
	}
	return saved.EvaluateOnly(c.Context, set, held, skip)
}

func predictionsOf(e *trainer.Evaluation) []report.Prediction {
	list := make([]report.Prediction, 0, len(e.Predictions()))
	for _, p := range e.Predictions() {
		list = append(list, report.Prediction{Path: p.Path, Label: p.Label, Probabilities: p.Probabilities})
	}
	return list
}

// writeInterpretation writes interpretation.json, the plots, and the top losses
// as pictures, plain and with Grad-CAM's heat.
func writeInterpretation(dir string, found *report.Interpretation, saved *trainer.Saved, set *data.Dataset) error {
	if err := found.WritePlots(dir); err != nil {
		return err
	}
	if err := drawLosses(dir, found.TopLosses, saved, set, set); err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, "interpretation.json"), found)
}

// drawLosses writes top-losses.png and, with a network, grad-cam.png.
func drawLosses(dir string, losses []report.TopLoss, saved *trainer.Saved, set *data.Dataset, pictures augment.Source) error {
	if len(losses) == 0 {
		return nil
	}
	open := pictureOpener(set, pictures)
	plain := report.TopLossGrid(losses, func(path string) (image.Image, error) {
		picture, err := open(path)
		if err != nil {
			return nil, err
		}
		return asImage(picture), nil
	}, showBatchColumns, showBatchCell)
	if err := writePNG(filepath.Join(dir, "top-losses.png"), plain); err != nil || saved == nil {
		return err
	}
	var failed error
	hot := report.TopLossGrid(losses, func(path string) (image.Image, error) {
		picture, err := open(path)
		if err != nil {
			return nil, err
		}
		cam, err := saved.GradCAM(path, picture)
		if err != nil {
			failed = err
			return nil, err
		}
		return report.HeatOverlay(cam.Picture, cam.Heat), nil
	}, showBatchColumns, showBatchCell)
	if failed != nil {
		return failed
	}
	return writePNG(filepath.Join(dir, "grad-cam.png"), hot)
}

// pictureOpener decodes a picture of the set by its path.
func pictureOpener(set *data.Dataset, pictures augment.Source) func(path string) (*data.Picture, error) {
	index := map[string]int{}
	for i, sample := range set.Samples {
		index[sample.Path] = i
	}
	return func(path string) (*data.Picture, error) {
		i, ok := index[path]
		if !ok {
			return nil, fmt.Errorf("%s is not in the set", path)
		}
		return pictures.Picture(i)
	}
}

func asImage(p *data.Picture) image.Image {
	return &image.NRGBA{Pix: p.Pix, Stride: 4 * p.Width, Rect: image.Rect(0, 0, p.Width, p.Height)}
}

// printInterpretation prints the tables for people.
func printInterpretation(c *cli.Context, i *report.Interpretation, dir string) error {
	fmt.Fprintf(c.App.Writer, "accuracy %.4f  top-5 %.4f  macro F1 %.4f  loss %.4f  calibration error %.4f  on %d pictures\n",
		i.Accuracy, *i.Top5, i.MacroF1, *i.Loss, *i.ECE, i.Images)
	if i.TTAAccuracy != nil {
		fmt.Fprintf(c.App.Writer, "with test-time augmentation: accuracy %.4f  loss %.4f\n", *i.TTAAccuracy, *i.TTALoss)
	}
	scores := newTable("class", "precision", "recall", "F1", "pictures")
	for _, s := range i.Classes {
		scores.AppendRow(table.Row{printable(s.Class), fmt.Sprintf("%.4f", s.Precision), fmt.Sprintf("%.4f", s.Recall), fmt.Sprintf("%.4f", s.F1), s.Support})
	}
	fmt.Fprintln(c.App.Writer, scores.Render())
	if len(i.Confused) > 0 {
		confused := newTable("actual", "predicted", "pictures")
		for _, pair := range i.Confused[:min(len(i.Confused), 10)] {
			confused.AppendRow(table.Row{printable(pair.Actual), printable(pair.Predicted), pair.Count})
		}
		fmt.Fprintln(c.App.Writer, confused.Render())
	}
	_, err := fmt.Fprintf(c.App.Writer, "plots and pictures: %s\n", dir)
	return err
}

func newTable(head ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(head)
	return t
}
