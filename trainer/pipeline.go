package trainer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// The values of Recipe.Sampling.
const (
	Shuffled = "shuffle"
	Balanced = "balanced"
)

// newPipeline is what happens to a picture under the recipe.
func newPipeline(r Recipe) (*augment.Pipeline, error) {
	pixels, err := augment.ParsePixels(r.Pixels)
	if err != nil {
		return nil, err
	}
	return augment.NewFromList(r.transforms(), pixels)
}

// transforms are the recipe's, with the filter, the normalisation and the mixing that keys of their own ask for.
func (r Recipe) transforms() augment.List {
	list := slices.Clone(r.Transforms)
	if len(list) == 0 {
		config := augment.ArticleConfig()
		config.ItemSize, config.Size = r.ItemSize, r.Size
		list = config.List()
	}
	if r.Interpolation == string(augment.Bicubic) {
		list = list.Filtered(augment.Bicubic)
	}
	if mean, std, _ := models.Normalization(r.Normalize); len(mean) > 0 {
		at := slices.IndexFunc(list, func(t augment.Transform) bool {
			switch t.(type) {
			case augment.RandomErasing, augment.MixUp, augment.CutMix:
				return true
			}
			return false
		})
		if at < 0 {
			at = len(list)
		}
		list = slices.Insert(list, at, augment.Transform(augment.Normalize{Mean: mean, Std: std}))
	}
	if r.MixUp > 0 {
		list = append(list, augment.MixUp{Alpha: r.MixUp})
	}
	if r.CutMix > 0 {
		list = append(list, augment.CutMix{Alpha: r.CutMix})
	}
	return list
}

// followTransforms takes both sizes from the transforms, where there are any.
func (r *Recipe) followTransforms() error {
	if len(r.Transforms) == 0 {
		return nil
	}
	pipeline, err := newPipeline(*r)
	if err == nil {
		r.Size, r.ItemSize = pipeline.Size(), pipeline.Config().ItemSize
	}
	return err
}

// validateInput is Validate for the keys that say how pictures are drawn and transformed.
func (r Recipe) validateInput() error {
	pipeline, err := newPipeline(r)
	if err != nil {
		return err
	}
	if pipeline.Size() != r.Size {
		return fmt.Errorf("size is %d pixels, but the transforms end at %d; leave size out", r.Size, pipeline.Size())
	}
	if names := []string{Shuffled, Balanced}; !slices.Contains(names, r.Sampling) {
		return fmt.Errorf("sampling is %q; it must be %s%s", r.Sampling, strings.Join(names, " or "), suggest(r.Sampling, names))
	}
	for _, class := range slices.Sorted(maps.Keys(r.ClassWeights)) {
		if w := r.ClassWeights[class]; !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("class-weights: that of %q is %v; it must be a number not below 0", class, w)
		}
	}
	return nil
}

// weights are how often each picture of the split is drawn, nil where every picture is drawn once.
func (r Recipe) weights(set *data.Dataset, labels []int64) ([]float64, error) {
	if r.Sampling != Balanced && len(r.ClassWeights) == 0 {
		return nil, nil
	}
	for _, class := range slices.Sorted(maps.Keys(r.ClassWeights)) {
		if !slices.Contains(set.Classes, class) {
			return nil, fmt.Errorf("class-weights: %s has no class %q%s", set.Source, class, suggest(class, set.Classes))
		}
	}
	weights := slices.Repeat([]float64{1}, len(labels))
	if r.Sampling == Balanced {
		weights = augment.BalancedWeights(labels)
	}
	for i, label := range labels {
		if w, ok := r.ClassWeights[set.Classes[label]]; ok {
			weights[i] *= w
		}
	}
	return weights, nil
}

// Pictures are the pictures of a set as the recipe has them decoded: whole for
// exact pixels; for fast ones quickly and scaled to a short side a little larger than what
// the network sees, which is where the one sampling begins.
func (r Recipe) Pictures(set *data.Dataset) *data.Dataset { return set.DecodedAs(r.DecodeOptions()) }

// DecodeOptions say how pictures are decoded for the recipe.
func (r Recipe) DecodeOptions() data.DecodeOptions {
	return data.DecodeOptions{ShortSide: r.shortSide(), IgnoreOrientation: r.IgnoreOrientation, Quick: r.Pixels == "fast"}
}

// fastShort is the short side of a decoded picture over the network's size in
// fast mode: room for the zoom, and still few pixels to sample from.
const fastShort = 1.28

// shortSide is that of a decoded picture in pixels; 0 leaves it whole, as for
// transforms that cut pixels out of it.
func (r Recipe) shortSide() int {
	if r.Pixels != "fast" {
		return 0
	}
	for _, t := range r.Transforms {
		switch t.(type) {
		case augment.CenterCrop, augment.RandomResizedCrop:
			return 0
		}
	}
	return int(math.Ceil(fastShort*float64(r.Size)/16)) * 16
}
