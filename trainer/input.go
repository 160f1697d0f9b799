package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	torch "github.com/wangkuiyi/gotorch"

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

// suited is o for batches that the device computes on. On the CPU loading gives way to computing; and where samples
// lose little as bytes, their convolutions read bytes: a quarter of the memory that floats move.
func suited(r Recipe, device torch.Device, o augment.LoaderOptions) augment.LoaderOptions {
	if device.IsCUDA() {
		return o
	}
	o.GiveWay = true
	if inBytes(r, device) {
		o.Dtype = augment.Uint8
	}
	return o
}

// inBytes tells whether the device computes on batches in bytes. A network out of a file may begin with a layer that
// takes none.
func inBytes(r Recipe, device torch.Device) bool {
	pipeline, err := newPipeline(r)
	return err == nil && pipeline.InBytes() && !device.IsCUDA() && r.precision(device) == AMPOff && len(r.Layers) == 0
}

// TrainingLoader makes the batches that Fit trains on, on the recipe's device. The caller closes it.
func TrainingLoader(r Recipe, set *data.Dataset, pictures augment.Source) (*augment.Loader, error) {
	train, _, err := split(set, r)
	if err != nil {
		return nil, err
	}
	return measured(r, set, pictures, train, true)
}

// EvaluationLoader makes batches of the pictures of these indices as validation sees them on the recipe's device. The
// caller closes it.
func EvaluationLoader(r Recipe, set *data.Dataset, pictures augment.Source, indices []int) (*augment.Loader, error) {
	return measured(r, set, pictures, indices, false)
}

func measured(r Recipe, set *data.Dataset, pictures augment.Source, indices []int, train bool) (*augment.Loader, error) {
	device, _, err := resolveDevice(r.Device, nil)
	if err != nil {
		return nil, err
	}
	o := augment.LoaderOptions{BatchSize: r.BatchSize, Train: train, OnSkip: func(int, error) {}}
	return loader(r, set, pictures, indices, suited(r, device, o))
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

// Foresee tells what of a training on the set deserves a word before it
// begins, and how many pictures are on each side of its split.
func Foresee(r Recipe, set *data.Dataset) (train, valid int, warnings []string, err error) {
	trainSide, validSide, err := set.Split(r.ValidPct, r.SplitSeed)
	if err != nil {
		return 0, 0, nil, err
	}
	if len(trainSide) < r.BatchSize {
		warnings = append(warnings, fmt.Sprintf("batch size %d is larger than the training split of %d pictures: training would refuse; lower --batch-size", r.BatchSize, len(trainSide)))
	}
	if n := len(set.Skipped); n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d files cannot be read and are left out; orrery data verify lists them", n))
	}
	count := make([]int, len(set.Classes))
	for _, i := range trainSide {
		count[set.Samples[i].Label]++
	}
	for class, n := range count {
		if n == 0 {
			warnings = append(warnings, fmt.Sprintf("no picture of the class %s is in the training split", set.Classes[class]))
		}
	}
	if least, most := slices.Min(count), slices.Max(count); least > 0 && most > 10*least {
		warnings = append(warnings, fmt.Sprintf("the largest class has %d times the pictures of the smallest; --sampling balanced draws them alike", most/least))
	}
	pipeline, err := newPipeline(r)
	if err != nil {
		return 0, 0, nil, err
	}
	var widths, heights []int
	for i := range set.Samples {
		w, h := set.Size(i)
		widths, heights = append(widths, w), append(heights, h)
	}
	return len(trainSide), len(validSide), append(warnings, pipeline.Warnings(widths, heights)...), nil
}
