package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/models"
	"github.com/wangkuiyi/orrery/trainer"
)

// methodFlags are the flags of a recipe's network and method.
func methodFlags() []cli.Flag {
	d := trainer.Article()
	return []cli.Flag{
		&cli.Float64Flag{Name: "width", Usage: "multiplies the channels of cnn8, resnet9 and speednet", Value: d.Width},
		&cli.IntFlag{Name: "depth", Usage: "convolutions of cnn8", DefaultText: "8"},
		&cli.StringFlag{Name: "activation", Usage: "of cnn8: " + strings.Join(models.ActivationNames(), ", "), Value: d.Activation},
		&cli.Float64Flag{Name: "dropout", Usage: "probability that a feature is dropped before the last layer", Value: d.Dropout},
		&cli.Float64Flag{Name: "drop-path", Usage: "probability that the last residual branch is left out", Value: d.DropPath},
		&cli.StringFlag{Name: "normalize", Usage: "auto (as the pretrained weights), " + strings.Join(models.NormalizationNames, ", "), Value: d.Normalize},
		&cli.StringFlag{Name: "interpolation", Usage: "of the resize to the item size: auto (as the pretrained weights, with exact pixels), bilinear, bicubic", Value: d.Interpolation},
		&cli.StringFlag{Name: "pretrained", Usage: "start from the weights in `FILE` (.safetensors, .pth, .pt)"},
		&cli.IntFlag{Name: "freeze", Usage: "stages, from the first on, that are never trained", Value: d.Freeze},
		&cli.IntFlag{Name: "freeze-epochs", Usage: "epochs, from the first on, that train the head alone", Value: d.FreezeEpochs},
		&cli.IntFlag{Name: "fine-tune", Usage: "fastai's fine_tune: one frozen epoch (or --freeze-epochs), then `N` with all stages, with half and sliced rates"},
		&cli.Float64Flag{Name: "lr-ratio", Usage: "the head's learning rate over the first stage's", Value: d.LRRatio},
		&cli.StringFlag{Name: "loss", Usage: "cross-entropy, focal or bce", Value: d.Loss},
		&cli.Float64Flag{Name: "label-smoothing", Usage: "share of the target spread over all classes", Value: d.LabelSmoothing},
		&cli.Float64Flag{Name: "focal-gamma", Usage: "exponent of the focal loss", Value: d.FocalGamma},
		&cli.StringFlag{Name: "loss-weights", Usage: "none, or balanced: losses weigh the inverse of their class's frequency", Value: d.LossWeights},
		&cli.StringFlag{Name: "optimizer", Aliases: []string{"opt"}, Usage: strings.Join(trainer.OptimizerNames(), ", "), Value: d.Optimizer},
		&cli.IntFlag{Name: "lookahead", Usage: "move weights halfway back every N steps; 0 never", Value: d.Lookahead},
		&cli.IntFlag{Name: "accumulate", Usage: "batches whose gradients are summed for a step", Value: d.Accumulate},
		&cli.Float64Flag{Name: "clip-norm", Usage: "limit of the gradients' norm; 0 none", Value: d.ClipNorm},
		&cli.Float64Flag{Name: "ema", Usage: "decay of the average of weights that is validated and saved; 0 none", Value: d.EMA},
		&cli.Float64Flag{Name: "warmup-epochs", Usage: "epochs on which the rate rises before the schedule", Value: d.WarmupEpochs},
		&cli.Float64Flag{Name: "step-epochs", Usage: "of the schedule step: epochs between two drops", Value: d.StepEpochs},
		&cli.Float64Flag{Name: "step-gamma", Usage: "of the schedule step: the rate's factor at a drop", Value: d.StepGamma},
		&cli.Float64Flag{Name: "mixup", Usage: "blend pictures with weights from Beta(A, A); 0 does not", Value: d.MixUp},
		&cli.Float64Flag{Name: "cutmix", Usage: "paste pictures into each other, areas from Beta(A, A); 0 does not", Value: d.CutMix},
		&cli.IntFlag{Name: "start-size", Usage: "pixels of the first epoch, growing to --size; 0 does not", Value: d.StartSize},
		&cli.IntFlag{Name: "patience", Usage: "end after so many epochs without a better one; 0 never", Value: d.Patience},
		&cli.StringFlag{Name: "best-by", Usage: strings.Join(trainer.MetricNames(), ", "), Value: d.BestBy},
		&cli.IntFlag{Name: "tta", Usage: "passes of test-time augmentation over the validation split at the end; 0 none", Value: d.TTA},
		&cli.StringFlag{Name: "tta-views", Usage: "what those passes see: " + strings.Join(trainer.TTAViewNames(), ", "), Value: d.TTAViews},
	}
}

// fineTuned is the recipe that --fine-tune makes of r.
func fineTuned(c *cli.Context, r trainer.Recipe) (trainer.Recipe, error) {
	if !c.IsSet("fine-tune") {
		return r, nil
	}
	for _, name := range []string{"epochs", "schedule"} {
		if c.IsSet(name) {
			return r, usagef("--fine-tune decides --%s: it trains one frozen epoch (or --freeze-epochs), then N of all stages; leave one of the two out", name)
		}
	}
	return r.FineTuned(c.Int("fine-tune")), nil
}
