package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
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
	return withRunAndSet(c, func(saved *trainer.Saved, set *data.Dataset, skip func(int, error)) error {
		evaluation, err := saved.Evaluate(c.Context, set, skip)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return printJSON(c.App.Writer, evaluation)
		}
		_, err = fmt.Fprintf(c.App.Writer, "accuracy %.4f  top-5 %.4f  loss %.4f  on %d pictures\n",
			evaluation.Accuracy, evaluation.Top5, evaluation.Loss, evaluation.Images)
		return err
	})
}

// withRunAndSet opens the verb's RUN and DATA for use, which tells skip of every picture it leaves out.
func withRunAndSet(c *cli.Context, use func(saved *trainer.Saved, set *data.Dataset, skip func(index int, reason error)) error) error {
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
	return use(saved, set, func(index int, reason error) {
		log.Warn("picture left out", "path", set.Samples[index].Path, "reason", reason)
	})
}
