package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/trainer"
)

func evaluateCommand() *cli.Command {
	return &cli.Command{
		Name:      "evaluate",
		Aliases:   []string{"val"},
		Usage:     "measure a trained run on every picture of a labelled set",
		ArgsUsage: "RUN DATA",
		Flags:     []cli.Flag{deviceFlag(), jsonFlag()},
		Action:    evaluate,
	}
}

func deviceFlag() cli.Flag {
	return &cli.StringFlag{Name: "device", Usage: "auto, cpu, cuda or cuda:N", Value: "auto"}
}

func evaluate(c *cli.Context) error {
	if c.NArg() != 2 {
		return usagef("evaluate takes RUN and DATA, such as: orrery evaluate runs/planets photos")
	}
	log := newLogger(c.App.ErrWriter)
	set, err := openSet(c, c.Args().Get(1), log)
	if err != nil {
		return err
	}
	defer set.Close()
	saved, err := trainer.OpenSaved(c.Args().First(), c.String("device"))
	if err != nil {
		return err
	}
	defer saved.Close()
	evaluation, err := saved.Evaluate(c.Context, set, func(index int, reason error) {
		log.Warn("picture left out", "path", set.Samples[index].Path, "reason", reason)
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, evaluation)
	}
	_, err = fmt.Fprintf(c.App.Writer, "accuracy %.4f  top-5 %.4f  loss %.4f  on %d pictures\n",
		evaluation.Accuracy, evaluation.Top5, evaluation.Loss, evaluation.Images)
	return err
}
