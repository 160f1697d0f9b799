package trainer

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"slices"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
)

// A Look is a batch as people see it.
type Look struct {
	Shape   []int64    `json:"shape"` // of the pictures: N, 3, size, size
	Dtype   string     `json:"dtype"`
	Min     float64    `json:"min"`
	Max     float64    `json:"max"`
	Mean    [3]float64 `json:"mean"` // of red, green and blue
	Labels  []int64    `json:"labels"`
	Classes []string   `json:"classes"` // of the labels
	Paths   []string   `json:"paths"`
	// Partners and Shares are what mixup or cutmix did: Shares[i] of the own
	// label, the rest of the label Partners[i].
	Partners []int64   `json:"partners,omitempty"`
	Shares   []float32 `json:"shares,omitempty"`

	Images []image.Image `json:"-"` // without normalisation
}

// FirstBatch looks at the first training batch of a run, or as much of it as
// n pictures.
func FirstBatch(recipe Recipe, set *data.Dataset, pictures augment.Source, n int) (*Look, error) {
	recipe.BatchSize = min(n, recipe.BatchSize)
	train, _, err := split(set, recipe)
	if err != nil {
		return nil, err
	}
	return look(recipe, set, pictures, train, 0)
}

// UniquePicture looks at n ways in which training sees the first picture of
// its first batch, an epoch each.
func UniquePicture(recipe Recipe, set *data.Dataset, pictures augment.Source, n int) (*Look, error) {
	first, err := FirstBatch(recipe, set, pictures, 1)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(set.Samples, func(s data.Sample) bool { return s.Path == first.Paths[0] })
	for epoch := 1; epoch < n; epoch++ {
		next, err := look(recipe.one(), set, pictures, []int{at}, epoch)
		if err != nil {
			return nil, err
		}
		first.Images, first.Labels = append(first.Images, next.Images...), append(first.Labels, next.Labels...)
		first.Classes, first.Paths = append(first.Classes, next.Classes...), append(first.Paths, next.Paths...)
		first.Min, first.Max = min(first.Min, next.Min), max(first.Max, next.Max)
		for c := range 3 {
			first.Mean[c] += (next.Mean[c] - first.Mean[c]) / float64(epoch+1)
		}
	}
	first.Shape[0] = int64(n)
	return first, nil
}

// one is the recipe for batches of one picture, whatever its class.
func (r Recipe) one() Recipe {
	r.BatchSize, r.Sampling, r.ClassWeights = 1, Shuffled, nil
	return r
}

// FirstPictures gives the first n pictures of the run's first training batch,
// as the network sees them, with their classes.
func FirstPictures(recipe Recipe, set *data.Dataset, pictures augment.Source, n int) ([]image.Image, []string, error) {
	l, err := FirstBatch(recipe, set, pictures, n)
	if err != nil {
		return nil, nil, err
	}
	return l.Images, l.Classes, nil
}

func look(recipe Recipe, set *data.Dataset, pictures augment.Source, indices []int, epoch int) (*Look, error) {
	batches, err := loader(recipe, set, pictures, indices, augment.LoaderOptions{
		BatchSize: recipe.BatchSize, Train: true,
		OnSkip: func(int, error) {}, // the run has named it
	})
	if err != nil {
		return nil, err
	}
	defer batches.Close()
	it := batches.Epoch(context.Background(), epoch)
	defer it.Close()
	batch, err := it.Next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: no picture could be decoded", set.Source)
	}
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	n, size := int64(batch.N), int64(batch.Size)
	l := &Look{Shape: []int64{n, 3, size, size}, Dtype: batch.Dtype.String(), Labels: batch.Labels, Min: float64(batch.Images[0]), Max: float64(batch.Images[0])}
	each := 3 * batch.Size * batch.Size
	pixels := batch.Images[:batch.N*each]
	for i, v := range pixels {
		l.Min, l.Max = min(l.Min, float64(v)), max(l.Max, float64(v))
		l.Mean[i%3] += 3 * float64(v) / float64(len(pixels))
	}
	if batch.Mix != nil {
		l.Partners, l.Shares = batch.Mix.Labels, batch.Mix.Weight
	}
	mean, std := recipe.normalization()
	for i, index := range batch.Indices {
		l.Images = append(l.Images, toImage(pixels[i*each:(i+1)*each], batch.Size, mean, std))
		l.Classes, l.Paths = append(l.Classes, set.Classes[batch.Labels[i]]), append(l.Paths, set.Samples[index].Path)
	}
	return l, nil
}

// normalization is what the recipe's transforms normalise by, 0 and 1 where they do not.
func (r Recipe) normalization() (mean, std [3]float32) {
	std = [3]float32{1, 1, 1}
	for _, t := range r.Transforms {
		if t, ok := t.(augment.Normalize); ok {
			copy(mean[:], t.Mean)
			copy(std[:], t.Std)
		}
	}
	return mean, std
}

// toImage turns float32 [size, size, 3] pixels into a picture, their normalisation undone.
func toImage(pixels []float32, size int, mean, std [3]float32) image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, size, size))
	level := func(x float32, c int) uint8 { return uint8(min(max(x*std[c]+mean[c], 0), 1)*255 + 0.5) }
	for i := range size * size {
		p := pixels[3*i : 3*i+3]
		out.SetNRGBA(i%size, i/size, color.NRGBA{R: level(p[0], 0), G: level(p[1], 1), B: level(p[2], 2), A: 255})
	}
	return out
}
