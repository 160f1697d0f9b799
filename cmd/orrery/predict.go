package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "name what is on pictures, or on every picture of a folder",
		ArgsUsage: "RUN PICTURE...",
		Flags:     []cli.Flag{deviceFlag(), jsonFlag()},
		Action:    predict,
	}
}

func predict(c *cli.Context) error {
	if c.NArg() < 2 {
		return usagef("predict takes RUN and at least one PICTURE or folder")
	}
	paths, err := picturePaths(c.Args().Slice()[1:])
	if err != nil {
		return err
	}
	saved, err := trainer.OpenSaved(c.Args().First(), c.String("device"))
	if err != nil {
		return err
	}
	defer saved.Close()
	predictions, failed := make([]trainer.Prediction, 0, len(paths)), 0
	for _, path := range paths {
		if err := c.Context.Err(); err != nil {
			return err
		}
		prediction, err := predictFile(saved, path)
		if err != nil {
			failed++
			prediction = trainer.Prediction{Path: path, Error: oneLine(err)}
		}
		predictions = append(predictions, prediction)
		if !c.Bool("json") {
			printPrediction(c, prediction)
		}
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, predictions); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d pictures could not be read", failed, len(paths))
	}
	return nil
}

func predictFile(saved *trainer.Saved, path string) (trainer.Prediction, error) {
	picture, err := decodeFile(saved, path)
	if err != nil {
		return trainer.Prediction{}, err
	}
	return saved.Predict(path, picture)
}

// decodeFile reads a picture as the run's training did.
func decodeFile(saved *trainer.Saved, path string) (*data.Picture, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	picture, err := data.Decode(content, saved.Recipe.DecodeOptions())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return picture, nil
}

// printPrediction writes one line: the path, then the likeliest classes.
func printPrediction(c *cli.Context, p trainer.Prediction) {
	if p.Error != "" {
		fmt.Fprintf(c.App.ErrWriter, "orrery: %s\n", printable(p.Error))
		return
	}
	var top []string
	for _, t := range p.Top {
		top = append(top, fmt.Sprintf("%s %.4f", printable(t.Class), t.Probability))
	}
	fmt.Fprintf(c.App.Writer, "%s: %s\n", printable(p.Path), strings.Join(top, "  "))
}

// printable makes a name harmless on a terminal: control characters are quoted.
func printable(name string) string {
	quoted := fmt.Sprintf("%q", name)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// picturePaths lists the files that were named and those in folders that were named.
func picturePaths(arguments []string) ([]string, error) {
	var paths []string
	for _, argument := range arguments {
		info, err := os.Stat(argument)
		if err != nil {
			return nil, fmt.Errorf("picture: %w", err)
		}
		if !info.IsDir() {
			paths = append(paths, argument)
			continue
		}
		err = filepath.WalkDir(argument, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != argument:
				return fs.SkipDir
			case entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), "."):
				paths = append(paths, path)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("folder: %w", err)
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("no pictures were found in the folders given")
	}
	return paths, nil
}
