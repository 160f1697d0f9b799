package trainer

import (
	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
)

// The names a recipe's loss may have.
const (
	CrossEntropy = "cross-entropy"
	Focal        = "focal"
	BCE          = "bce"
)

var lossNames = []string{CrossEntropy, Focal, BCE}

// A criterion is a recipe's loss.
type criterion struct {
	Method
	weights torch.Tensor // of the classes, float32 [C], or none
}

// A target is what a batch's logits are to become.
type target struct {
	labels torch.Tensor // Long [N]
	// Of a batch that MixUp or CutMix blended: the partners' labels, Long [N], and
	// the share of the own label, float32 [N]; none otherwise.
	partner, own torch.Tensor
}

// targetOf takes a batch's labels to the device.
func targetOf(b *augment.Batch, device torch.Device) target {
	there := func(values any) torch.Tensor {
		t := torch.NewTensor(values)
		if device.IsCUDA() {
			return t.PinMemory().CUDA(device, true)
		}
		return t
	}
	t := target{labels: there(b.Labels)}
	if b.Mix != nil {
		t.partner, t.own = there(b.Mix.Labels), there(b.Mix.Weight)
	}
	return t
}

// loss is the mean over the batch's pictures, a 0-dim tensor. A blended picture
// counts own*loss(label) + (1-own)*loss(partner), as in fastai.
func (c criterion) loss(logits torch.Tensor, t target) torch.Tensor {
	if t.own.T == nil {
		return c.against(logits, t.labels, "mean")
	}
	mine, theirs := c.against(logits, t.labels, "none"), c.against(logits, t.partner, "none")
	return theirs.Add(mine.Sub(theirs, 1).Mul(t.own), 1).Mean()
}

// against is the loss against one label a picture; reduction is none or mean.
func (c criterion) against(logits, labels torch.Tensor, reduction string) torch.Tensor {
	reduce := func(losses torch.Tensor) torch.Tensor {
		if reduction == "mean" {
			return losses.Mean()
		}
		return losses
	}
	switch c.Loss {
	case Focal: // Lin et al., 2017, as fastai's FocalLoss
		entropy := torch.CrossEntropy(logits, labels, c.weights, -100, "none", 0)
		certainty := entropy.Neg().Exp()
		return reduce(certainty.Neg().AddScalar(1).PowScalar(c.FocalGamma).Mul(entropy))
	case BCE: // as timm's BinaryCrossEntropy
		classes := logits.Shape()[1]
		wanted := labels.OneHot(classes).CastTo(torch.Float).MulScalar(1 - c.LabelSmoothing).AddScalar(c.LabelSmoothing / float64(classes))
		return reduce(torch.BinaryCrossEntropyWithLogits(logits, wanted, c.weights, torch.Tensor{}, "none").MeanDims([]int64{1}, false))
	}
	return torch.CrossEntropy(logits, labels, c.weights, -100, reduction, c.LabelSmoothing)
}

// newCriterion is the recipe's loss on the device; training are the pictures trained on.
func newCriterion(m Method, set *data.Dataset, training []int, device torch.Device) criterion {
	c := criterion{Method: m}
	if m.LossWeights == "balanced" {
		c.weights = torch.NewTensor(classWeights(set, training)).To(device, torch.Float)
	}
	return c
}

// classWeights are N/(C*n) for a class with n of the N training pictures: 1 on the average picture.
func classWeights(set *data.Dataset, training []int) []float32 {
	counts := make([]int, len(set.Classes))
	for _, i := range training {
		counts[set.Samples[i].Label]++
	}
	weights := make([]float32, len(counts))
	for i, n := range counts {
		weights[i] = float32(len(training)) / float32(len(counts)*max(1, n))
	}
	return weights
}
