package main

import (
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/trainer"
)

// recipeFlags are the flags that override a recipe's fields. Their defaults
// are shown from the article's recipe and set nothing by themselves.
func recipeFlags() []cli.Flag {
	d := trainer.Article()
	return append([]cli.Flag{
		&cli.StringFlag{Name: "recipe", Aliases: []string{"c", "config"}, Usage: "read the recipe from `FILE`, or one that ships by its name (see orrery recipes); flags override it"},
		&cli.StringFlag{Name: "model", Usage: "network to train (see orrery models), or a .yaml file of layers", Value: d.Model},
		&cli.BoolFlag{Name: "relu", Usage: "ReLU after each convolution of cnn8", Value: d.ReLU},
		&cli.BoolFlag{Name: "batchnorm", Usage: "BatchNorm after each convolution of cnn8", Value: d.BatchNorm},
		&cli.BoolFlag{Name: "sync-batchnorm", Usage: "with several processes, take BatchNorm's statistics over the batches of all", Value: d.SyncBatchNorm},
		&cli.IntFlag{Name: "epochs", Usage: "passes over the training split", Value: d.Epochs},
		&cli.IntFlag{Name: "batch-size", Aliases: []string{"b"}, Usage: "pictures a step", Value: d.BatchSize},
		&cli.StringFlag{Name: "lr", Usage: "learning rate (the highest one of one-cycle); train takes auto, too: what lr-find suggests", Value: number(d.LearningRate)},
		&cli.StringFlag{Name: "schedule", Usage: strings.Join(trainer.ScheduleNames(), ", "), Value: d.Schedule},
		&cli.Float64Flag{Name: "weight-decay", Usage: "decoupled weight decay", Value: d.WeightDecay},
		&cli.Float64Flag{Name: "valid-pct", Usage: "fraction of pictures held out", Value: d.ValidPct},
		&cli.Int64Flag{Name: "seed", Usage: "seed of weights, order and augmentation, and of the split unless --split-seed is given", Value: d.Seed},
		&cli.Int64Flag{Name: "split-seed", Usage: "seed of the split alone", DefaultText: "seed"},
		&cli.IntFlag{Name: "item-size", Usage: "pixels each picture is first cropped and resized to", Value: d.ItemSize},
		&cli.IntFlag{Name: "size", Usage: "pixels the network sees", Value: d.Size},
		&cli.StringFlag{Name: "pixels", Usage: "exact (fastai's arithmetic) or fast", Value: d.Pixels},
		&cli.StringFlag{Name: "sampling", Usage: "shuffle (every picture once an epoch) or balanced (each class as often as the others)", Value: d.Sampling},
		&cli.BoolFlag{Name: "ignore-orientation", Usage: "leave pictures as stored where EXIF turns them", Value: d.IgnoreOrientation},
		&cli.StringFlag{Name: "device", Usage: "auto, cpu, cuda or cuda:N", Value: d.Device},
		&cli.StringFlag{Name: "amp", Usage: "16-bit arithmetic: auto or off", Value: d.AMP},
		&cli.IntFlag{Name: "workers", Aliases: []string{"j"}, Usage: "goroutines that decode and augment", DefaultText: "one per core"},
		&cli.StringFlag{Name: "kernels", Usage: "convolutions on the CPU: own, libtorch, or auto for the faster of each shape", Value: d.Kernels},
		&cli.IntFlag{Name: "threads", Usage: "threads that compute", DefaultText: "one per core"},
	}, methodFlags()...)
}

// autoRate as --lr has train find the rate itself.
const autoRate = "auto"

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// recipeOf lays the recipe file over base and the flags over both.
func recipeOf(c *cli.Context, base trainer.Recipe) (trainer.Recipe, error) {
	recipe := base
	if path := c.String("recipe"); path != "" {
		var err error
		if recipe, err = trainer.LoadRecipe(path, base); err != nil {
			return recipe, usageError{err}
		}
	}
	set := func(name string, field any) {
		if !c.IsSet(name) {
			return
		}
		switch field := field.(type) {
		case *string:
			*field = c.String(name)
		case *bool:
			*field = c.Bool(name)
		case *int:
			*field = c.Int(name)
		case *int64:
			*field = c.Int64(name)
		case *float64:
			*field = c.Float64(name)
		}
	}
	set("model", &recipe.Model)
	set("relu", &recipe.ReLU)
	set("batchnorm", &recipe.BatchNorm)
	set("sync-batchnorm", &recipe.SyncBatchNorm)
	set("epochs", &recipe.Epochs)
	set("batch-size", &recipe.BatchSize)
	if rate := c.String("lr"); c.IsSet("lr") && rate != autoRate {
		var err error
		if recipe.LearningRate, err = strconv.ParseFloat(rate, 64); err != nil {
			return recipe, usagef("lr is %q; it must be a number such as 0.003, or auto for train", rate)
		}
	} else if rate == autoRate && c.Command.Name != "train" {
		return recipe, usagef("lr auto is for train alone; orrery lr-find suggests a rate")
	}
	set("schedule", &recipe.Schedule)
	set("weight-decay", &recipe.WeightDecay)
	set("valid-pct", &recipe.ValidPct)
	set("seed", &recipe.Seed)
	set("seed", &recipe.SplitSeed)
	set("split-seed", &recipe.SplitSeed)
	set("item-size", &recipe.ItemSize)
	set("size", &recipe.Size)
	set("pixels", &recipe.Pixels)
	set("sampling", &recipe.Sampling)
	set("ignore-orientation", &recipe.IgnoreOrientation)
	if len(recipe.Transforms) > 0 && (c.IsSet("size") || c.IsSet("item-size")) {
		return recipe, usagef("the recipe's transforms decide the sizes; change them there, not with --size or --item-size")
	}
	set("device", &recipe.Device)
	set("amp", &recipe.AMP)
	set("workers", &recipe.Workers)
	set("kernels", &recipe.Kernels)
	set("threads", &recipe.Threads)
	if err := setMethod(c, set, &recipe); err != nil {
		return recipe, err
	}
	if c.Args().Present() {
		recipe.Data = c.Args().First()
	}
	if recipe.Data == "" {
		return recipe, usagef("no data was given: a folder of class folders, a .zip of one, or the word planets")
	}
	var err error
	if recipe, err = recipe.Settle(); err != nil {
		return recipe, usageError{err}
	}
	if err := recipe.Validate(); err != nil {
		return recipe, usageError{err}
	}
	return recipe, nil
}
