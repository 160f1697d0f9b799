package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"github.com/wangkuiyi/orrery/models"
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
		&cli.StringFlag{Name: "amp", Usage: "what is computed in: " + strings.Join(trainer.AMPNames(), ", ") + "; auto is bf16 on a GPU, off elsewhere", Value: d.AMP},
		&cli.StringFlag{Name: "graph", Usage: "auto: a GPU's steps are recorded once and done again as a whole; or off", Value: d.Graph},
		&cli.StringFlag{Name: "resident", Usage: "auto: pictures lie on the GPU where they fit and --pixels fast samples them; or off", Value: d.Resident},
		&cli.StringFlag{Name: "decoder", Usage: "of JPEG files: cpu, or nvjpeg to have the GPU that trains decode them", Value: d.Decoder},
		&cli.BoolFlag{Name: "deterministic", Usage: "have a GPU give the same bits each time", Value: d.Deterministic},
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
	if len(recipe.Transforms) > 0 && (c.IsSet("size") || c.IsSet("item-size")) {
		return recipe, usagef("the recipe's transforms decide the sizes; change them there, not with --size or --item-size")
	}
	recipe, err := override(c, recipe)
	if err != nil {
		return recipe, usageError{err}
	}
	if recipe, err = fineTuned(c, recipe); err != nil {
		return recipe, err
	}
	if c.Args().Present() {
		recipe.Data = c.Args().First()
	}
	if recipe.Data == "" {
		return recipe, usagef("no data was given: a folder of class folders, a .zip of one, or the word planets")
	}
	if recipe, err = recipe.Settle(); err != nil {
		return recipe, usageError{err}
	}
	if err := recipe.Validate(); err != nil {
		return recipe, usageError{err}
	}
	return recipe, nil
}

// notKeys are the flags that stand for more than a value of their key.
var notKeys = []string{"recipe", "lr", "fine-tune"}

// override lays the flags that were given over a recipe. A flag is named as its field's YAML key, with hyphens.
func override(c *cli.Context, recipe trainer.Recipe) (trainer.Recipe, error) {
	given := map[string]any{}
	for _, flag := range recipeFlags() {
		name := flag.Names()[0]
		if c.IsSet(name) && !slices.Contains(notKeys, name) {
			given[strings.ReplaceAll(name, "-", "_")] = c.Value(name)
		}
	}
	if c.IsSet("seed") && !c.IsSet("split-seed") {
		given["split_seed"] = given["seed"]
	}
	if rate := c.String("lr"); c.IsSet("lr") && rate != autoRate {
		value, err := strconv.ParseFloat(rate, 64)
		if err != nil {
			return recipe, fmt.Errorf("lr is %q; it must be a number such as 0.003, or auto for train", rate)
		}
		given["lr"] = value
	} else if rate == autoRate && c.Command.Name != "train" {
		return recipe, errors.New("lr auto is for train alone; orrery lr-find suggests a rate")
	}
	if c.IsSet("model") && !models.IsLayerFile(c.String("model")) {
		recipe.Layers = nil
	}
	text, err := yaml.Marshal(given)
	if err != nil {
		return recipe, err
	}
	return trainer.ParseRecipe(text, recipe)
}
