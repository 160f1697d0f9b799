package trainer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/models"
)

// A Network is the part of a recipe that shapes the model and says where its
// weights come from.
type Network struct {
	// Width multiplies channels, Depth is the number of convolutions (0: the
	// network's own), Activation comes after each, of networks that allow it.
	Width      float64 `yaml:"width"`
	Depth      int     `yaml:"depth"`
	Activation string  `yaml:"activation"`
	// Dropout is the probability that training drops a feature before the last
	// layer; DropPath that of leaving out the last residual branch.
	Dropout  float64 `yaml:"dropout"`
	DropPath float64 `yaml:"drop_path"`
	// Layers are the network itself when Model is a .yaml file: its content.
	Layers models.Layers `yaml:"layers"`
	// Normalize is how values in [0, 1] are normalised: a word of
	// models.NormalizationNames, or "auto": as the pretrained weights want it, not
	// at all without.
	Normalize string `yaml:"normalize"`
	// Interpolation is the filter of the resize to ItemSize: bilinear, bicubic, or
	// "auto": as the pretrained weights want it where pixels are exact, else bilinear.
	Interpolation string `yaml:"interpolation"`
	// Pretrained is a file of weights to start from; "" draws all.
	Pretrained string `yaml:"pretrained"`
	// Freeze is how many stages of the network, from the first on, are never trained.
	Freeze int `yaml:"freeze"`
	// FreezeEpochs is for how many epochs, from the first on, the head alone is trained.
	FreezeEpochs int `yaml:"freeze_epochs"`
	// LRRatio is the head's learning rate over the first stage's; those between
	// lie on a geometric series.
	LRRatio float64 `yaml:"lr_ratio"`
}

// A Method is the part of a recipe that says how weights are changed.
type Method struct {
	// Loss is "cross-entropy", "focal" or "bce" (a sigmoid for each class).
	Loss string `yaml:"loss"`
	// LabelSmoothing is the share of the target spread over all classes, in [0, 1).
	LabelSmoothing float64 `yaml:"label_smoothing"`
	// FocalGamma is the focal loss's exponent.
	FocalGamma float64 `yaml:"focal_gamma"`
	// LossWeights is "none" or "balanced": losses weigh the inverse of their class's frequency.
	LossWeights string `yaml:"loss_weights"`
	// Optimizer is a word of OptimizerNames.
	Optimizer string `yaml:"optimizer"`
	// Lookahead moves weights halfway back every so many steps (Zhang et al., 2019); 0 never.
	Lookahead int `yaml:"lookahead"`
	// Accumulate is over how many batches gradients are summed for one step.
	Accumulate int `yaml:"accumulate"`
	// ClipNorm limits the norm of all gradients together; 0 does not.
	ClipNorm float64 `yaml:"clip_norm"`
	// EMA is the decay of the average of weights that is validated and saved, in [0, 1); 0 has none.
	EMA float64 `yaml:"ema"`
	// WarmupEpochs is for how long the rate rises from a hundredth before the schedule begins.
	WarmupEpochs float64 `yaml:"warmup_epochs"`
	// StepEpochs and StepGamma are the schedule step's: every so many epochs the rate is multiplied.
	StepEpochs float64 `yaml:"step_epochs"`
	StepGamma  float64 `yaml:"step_gamma"`
	// MixUp and CutMix blend pictures of a batch, with weights from Beta(a, a); 0 does not.
	MixUp  float64 `yaml:"mixup"`
	CutMix float64 `yaml:"cutmix"`
	// StartSize is the size of the first epoch's pictures, which grows to Size over
	// three quarters of the epochs; 0 has Size from the start.
	StartSize int `yaml:"start_size"`
	// Patience ends the training after so many epochs without a better one; 0 never.
	Patience int `yaml:"patience"`
	// BestBy is what the best epoch is chosen by: a word of MetricNames.
	BestBy string `yaml:"best_by"`
	// TTA is in how many augmented passes the validation split is predicted once
	// more at the end (test-time augmentation); 0 does not.
	TTA int `yaml:"tta"`
	// TTAViews is what those passes see: "augmented", what training sees, or "mirror-shift", six views of each picture.
	TTAViews string `yaml:"tta_views"`
}

func defaultNetwork() Network {
	return Network{Width: 1, Activation: "relu", Normalize: "auto", Interpolation: "auto", LRRatio: 1}
}

func defaultMethod() Method {
	return Method{
		Loss: CrossEntropy, FocalGamma: 2, LossWeights: "none", Optimizer: Adam, Accumulate: 1, StepEpochs: 30, StepGamma: 0.1, BestBy: "accuracy", TTAViews: ViewsAugmented,
	}
}

// interpolationNames are the words of Interpolation.
var interpolationNames = []string{"auto", string(augment.Bilinear), string(augment.Bicubic)}

// InterpolationNames lists the words a recipe may say.
func InterpolationNames() []string { return slices.Clone(interpolationNames) }

// MaxTTA keeps a slip of the finger from starting a day of predictions.
const MaxTTA = 100

func (n Network) validate(r Recipe) error {
	switch {
	case n.Normalize != "auto" && !slices.Contains(models.NormalizationNames, n.Normalize):
		words := append([]string{"auto"}, models.NormalizationNames...)
		return fmt.Errorf("normalize is %q; it must be one of %s%s", n.Normalize, strings.Join(words, ", "), suggest(n.Normalize, words))
	case !slices.Contains(interpolationNames, n.Interpolation):
		return fmt.Errorf("interpolation is %q; it must be one of %s%s", n.Interpolation, strings.Join(interpolationNames, ", "), suggest(n.Interpolation, interpolationNames))
	case n.Freeze < 0:
		return fmt.Errorf("freeze is %d; it must be 0 or a number of stages", n.Freeze)
	case n.FreezeEpochs < 0:
		return fmt.Errorf("freeze-epochs is %d; it must be 0 or more", n.FreezeEpochs)
	case n.FreezeEpochs >= r.Epochs && n.FreezeEpochs > 0 && r.Schedule == FineTune:
		return fmt.Errorf("freeze-epochs is %d of %d epochs; fine-tune needs at least one epoch with all stages free", n.FreezeEpochs, r.Epochs)
	case r.Schedule == FineTune && n.FreezeEpochs == 0:
		return fmt.Errorf("freeze-epochs is 0; the schedule fine-tune begins with at least one")
	case !(n.LRRatio >= 1 && n.LRRatio <= 1e6):
		return fmt.Errorf("lr-ratio is %v; it must be between 1 and 1e6", n.LRRatio)
	case models.IsLayerFile(r.Model) && len(n.Layers) == 0:
		return fmt.Errorf("model is %s, but the recipe holds no layers of it", r.Model)
	}
	return models.Check(r.Model, r.modelOptions(2)) // how many classes there are is the data's
}

func (m Method) validate(r Recipe) error {
	word := func(key, value string, words []string) error {
		if slices.Contains(words, value) {
			return nil
		}
		return fmt.Errorf("%s is %q; it must be one of %s%s", key, value, strings.Join(words, ", "), suggest(value, words))
	}
	unit := func(key string, x float64) error {
		if x >= 0 && x < 1 {
			return nil
		}
		return fmt.Errorf("%s is %v; it must be in [0, 1)", key, x)
	}
	notNegative := func(key string, x float64) error {
		if x >= 0 && !math.IsInf(x, 0) {
			return nil
		}
		return fmt.Errorf("%s is %v; it must be 0 or a positive number", key, x)
	}
	for _, err := range []error{
		word("loss", m.Loss, lossNames), word("optimizer", m.Optimizer, OptimizerNames()), word("best-by", m.BestBy, MetricNames()),
		word("loss-weights", m.LossWeights, []string{"none", "balanced"}),
		unit("label-smoothing", m.LabelSmoothing), unit("ema", m.EMA),
		notNegative("focal-gamma", m.FocalGamma), notNegative("clip-norm", m.ClipNorm), notNegative("warmup-epochs", m.WarmupEpochs),
		notNegative("mixup", m.MixUp), notNegative("cutmix", m.CutMix),
		notNegative("lookahead", float64(m.Lookahead)), notNegative("patience", float64(m.Patience)), m.speedOnly(r.Model),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case m.TTA < 0 || m.TTA > MaxTTA:
		return fmt.Errorf("tta is %d; it must be between 0 and %d passes", m.TTA, MaxTTA)
	case m.TTAViews != "" && !slices.Contains(TTAViewNames(), m.TTAViews): // "": of a run older than the key
		return fmt.Errorf("tta-views is %q; it must be one of %s%s", m.TTAViews, strings.Join(TTAViewNames(), ", "), suggest(m.TTAViews, TTAViewNames()))
	case m.TTAViews == ViewsMirrorShift && m.TTA != 0 && m.TTA != mirrorShiftPasses:
		return fmt.Errorf("tta is %d; the views %s take %d passes, or 0 for none", m.TTA, ViewsMirrorShift, mirrorShiftPasses)
	case m.Accumulate < 1:
		return fmt.Errorf("accumulate is %d; it must be at least 1", m.Accumulate)
	case m.Loss == Focal && m.LabelSmoothing > 0:
		return fmt.Errorf("label-smoothing is %v, but the focal loss has none; set one of them only", m.LabelSmoothing)
	case m.WarmupEpochs > 0 && (r.Schedule == OneCycle || r.Schedule == FineTune):
		return fmt.Errorf("warmup-epochs is %v, but the schedule %s warms up by itself", m.WarmupEpochs, r.Schedule)
	case m.WarmupEpochs >= float64(r.Epochs):
		return fmt.Errorf("warmup-epochs is %v of %d epochs; it must be less", m.WarmupEpochs, r.Epochs)
	case r.Schedule == StepDecay && !(m.StepEpochs > 0 && m.StepGamma > 0 && m.StepGamma < 1):
		return fmt.Errorf("step-epochs is %v and step-gamma %v; the schedule step needs a positive number and one in (0, 1)", m.StepEpochs, m.StepGamma)
	case m.MixUp > 0 && m.CutMix > 0:
		return fmt.Errorf("mixup is %v and cutmix %v; set one of them only", m.MixUp, m.CutMix)
	case m.StartSize != 0 && (m.StartSize < 8 || m.StartSize > r.Size):
		return fmt.Errorf("start-size is %d pixels; it must be between 8 and size (%d)", m.StartSize, r.Size)
	}
	return nil
}

// Settle fills in what follows from other fields and files: the layers of a
// model that is a .yaml file, and the normalisation and the filter of pretrained
// weights. What is settled stays the same when the files change.
func (r Recipe) Settle() (Recipe, error) {
	if models.IsLayerFile(r.Model) && len(r.Layers) == 0 {
		var err error
		if r.Layers, err = models.ReadLayers(r.Model); err != nil {
			return r, err
		}
	}
	input := models.Input{Normalize: "none", Interpolation: string(augment.Bilinear)}
	if info, err := models.Find(r.Model); err == nil && r.Pretrained != "" {
		input = info.Input
	}
	if r.Normalize == "auto" {
		r.Normalize = input.Normalize
	}
	if r.Interpolation == "auto" {
		r.Interpolation = string(augment.Bilinear)
		if r.Pixels == "exact" {
			r.Interpolation = input.Interpolation
		}
	}
	return r, nil
}

// sizeAt is the side of the pictures of an epoch.
func (r Recipe) sizeAt(epoch int) int {
	growing := 0.75 * float64(r.Epochs)
	if r.StartSize == 0 || float64(epoch) >= growing {
		return r.Size
	}
	size := float64(r.StartSize) + float64(r.Size-r.StartSize)*float64(epoch)/growing
	return min(r.Size, max(r.StartSize, int(size/8+0.5)*8))
}

// frozenAt is how many of a network's stages are frozen in an epoch.
func (r Recipe) frozenAt(epoch, stages int) int {
	if epoch < r.FreezeEpochs {
		return stages - 1
	}
	return min(r.Freeze, stages-1)
}

// tuneRatio is lr_mult of fastai's fine_tune.
const tuneRatio = 100

// FineTuned is the recipe as fastai's fine_tune(epochs) trains it: one epoch of
// the head alone, unless FreezeEpochs says how many, then so many of all stages.
func (r Recipe) FineTuned(epochs int) Recipe {
	r.Schedule, r.FreezeEpochs = FineTune, max(1, r.FreezeEpochs)
	r.Epochs = r.FreezeEpochs + epochs
	if r.LRRatio == 1 {
		r.LRRatio = tuneRatio
	}
	return r
}
