package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/export"
	"github.com/wangkuiyi/orrery/trainer"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write a trained run as an ONNX model, as TorchScript or as safetensors",
		ArgsUsage: "RUN",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: strings.Join(export.Formats, ", "), Value: "onnx"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "file to write; with safetensors a folder (default RUN/export/...)"},
			&cli.StringFlag{Name: "pictures", Usage: "picture, or folder of pictures, that the export is held against (default the run's own)"},
			&cli.IntFlag{Name: "check", Usage: "how many pictures the export is held against", Value: 64},
			&cli.BoolFlag{Name: "preprocess", Usage: "of onnx: put the preprocessing inside, so that the model takes the pixels of central squares, uint8 [batch, side, side, 3]"},
			jsonFlag(),
		},
		Action: exportRun,
	}
}

func exportRun(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("export takes one RUN, such as: orrery export runs/planets --format onnx")
	}
	if format := c.String("format"); !slices.Contains(export.Formats, format) {
		return usagef("format is %q; it must be one of %s", format, strings.Join(export.Formats, ", "))
	}
	if c.Bool("preprocess") && c.String("format") != "onnx" {
		return usagef("--preprocess is for --format onnx, not %s", c.String("format"))
	}
	if c.Int("check") < 1 {
		return usagef("check is %d; it must be at least 1: no export goes unchecked", c.Int("check"))
	}
	run := c.Args().First()
	saved, err := trainer.OpenSaved(run, "cpu")
	if err != nil {
		return err
	}
	defer saved.Close()
	count, picture, err := checkPictures(c, saved)
	if err != nil {
		return fmt.Errorf("the pictures to hold the export against: %w; name others with --pictures", err)
	}
	images := min(c.Int("check"), count)
	result, err := export.Run(c.Context, saved, run, export.Options{
		Format: c.String("format"), Output: c.String("output"), Images: images, Preprocess: c.Bool("preprocess"),
		// Spread over the set, so that every class is among them.
		Check: func(i int) (*data.Picture, error) { return picture(i * count / images) },
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, result)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %.1f MB, logits within %.2g of the run's on %d pictures\n",
		printable(result.Path), float64(result.Bytes)/1e6, result.MaxDifference, result.Images)
	return err
}

// checkPictures gives the pictures that were named, or those of the run's own set.
func checkPictures(c *cli.Context, saved *trainer.Saved) (count int, picture func(i int) (*data.Picture, error), err error) {
	if named := c.String("pictures"); named != "" {
		paths, err := picturePaths([]string{named})
		return len(paths), func(i int) (*data.Picture, error) { return decodeFile(saved, paths[i]) }, err
	}
	set, err := openSet(c, saved.Recipe.Data, newLogger(c.App.ErrWriter))
	if err != nil {
		return 0, nil, err
	}
	return len(set.Samples), saved.Recipe.Pictures(set).Picture, nil
}
