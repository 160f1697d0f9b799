package trainer

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
)

// FirstPictures gives the first n pictures of the run's first training batch,
// as the network sees them, with their classes.
func FirstPictures(recipe Recipe, set *data.Dataset, pictures augment.Source, n int) ([]image.Image, []string, error) {
	recipe.BatchSize = min(n, recipe.BatchSize)
	train, _, err := split(set, recipe)
	if err != nil {
		return nil, nil, err
	}
	first, err := loader(recipe, set, pictures, train, augment.LoaderOptions{
		BatchSize: recipe.BatchSize, Train: true,
		OnSkip: func(int, error) {}, // the run has named it
	})
	if err != nil {
		return nil, nil, err
	}
	defer first.Close()
	it := first.Epoch(context.Background(), 0)
	defer it.Close()
	batch, err := it.Next()
	if errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%s: no picture could be decoded", set.Source)
	}
	if err != nil {
		return nil, nil, err
	}
	defer batch.Release()
	var images []image.Image
	var titles []string
	for i := range batch.N {
		images = append(images, toImage(batch.Images[i*3*batch.Size*batch.Size:], batch.Size))
		titles = append(titles, set.Classes[batch.Labels[i]])
	}
	return images, titles, nil
}

// toImage turns float32 [size, size, 3] pixels in [0, 1] into a picture.
func toImage(pixels []float32, size int) image.Image {
	out := image.NewNRGBA(image.Rect(0, 0, size, size))
	level := func(x float32) uint8 { return uint8(min(max(x, 0), 1)*255 + 0.5) }
	for i := range size * size {
		p := pixels[3*i : 3*i+3]
		out.SetNRGBA(i%size, i/size, color.NRGBA{R: level(p[0]), G: level(p[1]), B: level(p[2]), A: 255})
	}
	return out
}
