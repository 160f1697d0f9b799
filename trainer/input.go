package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
)

// split divides the set's pictures, as fastai's RandomSplitter does unless the
// set brings a split, and refuses one with less than a batch to train on.
func split(set *data.Dataset, r Recipe) (train, valid []int, err error) {
	train, valid, err = set.Split(r.ValidPct, r.SplitSeed)
	if err == nil && len(train) < r.BatchSize {
		err = fmt.Errorf("%s: batch size %d is larger than the training split of %d pictures; lower --batch-size", set.Source, r.BatchSize, len(train))
	}
	return train, valid, err
}

// fingerprint tells one set of pictures from another by its classes and paths.
func fingerprint(set *data.Dataset) string {
	h := sha256.New()
	for _, class := range set.Classes {
		fmt.Fprintf(h, "%q\n", class)
	}
	for _, s := range set.Samples {
		fmt.Fprintf(h, "%q %d\n", s.Path, s.Label)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// loader makes the batches of the pictures that indices name.
func loader(r Recipe, set *data.Dataset, pictures augment.Source, indices []int, o augment.LoaderOptions) (*augment.Loader, error) {
	pipeline, err := newPipeline(r)
	if err != nil {
		return nil, err
	}
	labels := make([]int64, len(indices))
	for i, index := range indices {
		labels[i] = int64(set.Samples[index].Label)
	}
	if o.Train {
		if o.Weights, err = r.weights(set, labels); err != nil {
			return nil, err
		}
	}
	o.Workers, o.Seed, o.Layout = r.Workers, r.Seed, augment.NHWC
	return augment.NewLoader(pipeline, pictures, indices, labels, o)
}

// TrainingLoader makes the batches that Fit trains on. The caller closes it.
func TrainingLoader(r Recipe, set *data.Dataset, pictures augment.Source) (*augment.Loader, error) {
	train, _, err := split(set, r)
	if err != nil {
		return nil, err
	}
	return loader(r, set, pictures, train, augment.LoaderOptions{BatchSize: r.BatchSize, Train: true, OnSkip: func(int, error) {}})
}

// Explain follows one picture of the set through every transform of training.
func Explain(r Recipe, set *data.Dataset, index int) ([]augment.Stage, error) {
	pipeline, err := newPipeline(r)
	if err != nil {
		return nil, err
	}
	picture, err := r.Pictures(set).Picture(index)
	if err != nil {
		return nil, err
	}
	return pipeline.Explain(picture, pipeline.Draw(r.Seed, 0, index), augment.NHWC)
}
