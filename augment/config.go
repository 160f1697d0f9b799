package augment

import (
	"fmt"
	"math"
)

// Pixels chooses the arithmetic of the pixels.
type Pixels int

const (
	// Exact follows fastai's arithmetic step by step: Pillow's resize to ItemSize, the area resize
	// when fastai would do it, then one projective sampling (>= 60 dB PSNR against fastai).
	Exact Pixels = iota
	// Fast samples the same geometry once, straight from the decoded picture.
	Fast
)

func (p Pixels) String() string {
	switch p {
	case Exact:
		return "exact"
	case Fast:
		return "fast"
	}
	return fmt.Sprintf("Pixels(%d)", int(p))
}

// ParsePixels reads "exact" or "fast".
func ParsePixels(s string) (Pixels, error) {
	switch s {
	case "exact":
		return Exact, nil
	case "fast":
		return Fast, nil
	}
	return 0, fmt.Errorf("pixels %q: want exact or fast", s)
}

// Layout is the order of a batch's dimensions.
type Layout int

const (
	NCHW Layout = iota // [N, 3, Size, Size]
	NHWC               // [N, Size, Size, 3], which PyTorch calls channels last
)

// Config describes fastai's Resize(ItemSize) followed by aug_transforms(size=Size, ...). Its zero
// value is not useful: begin with [ArticleConfig] or [DefaultConfig].
type Config struct {
	// ItemSize is the side in pixels of the square a picture is cropped and resized to first: a random
	// crop in training, the centre in validation.
	ItemSize int
	// Size is the side of the finished square in pixels.
	Size   int
	Pixels Pixels

	// Flip mirrors half of the training pictures left to right.
	Flip bool
	// MaxRotate bounds the angle in degrees.
	MaxRotate float64
	// MinZoom and MaxZoom bound the magnification.
	MinZoom, MaxZoom float64
	// MaxLighting bounds the change of brightness and contrast, 0 <= MaxLighting < 1.
	MaxLighting float64
	// MaxWarp bounds the perspective change, 0 <= MaxWarp < 1.
	MaxWarp float64
	// PAffine is the probability of each of rotation, zoom and the two warps; PLighting that of each
	// of brightness and contrast.
	PAffine, PLighting float64

	// Mean and Std normalise each channel of values in [0, 1]; both empty: no normalisation.
	Mean, Std []float32
}

// DefaultConfig is fastai's aug_transforms with its defaults: rotation up to 10 degrees, zoom 1 to
// 1.1, lighting and warp 0.2, probabilities 0.75.
func DefaultConfig(itemSize, size int) Config {
	return Config{
		ItemSize: itemSize, Size: size, Flip: true, MaxRotate: 10, MinZoom: 1, MaxZoom: 1.1,
		MaxLighting: 0.2, MaxWarp: 0.2, PAffine: 0.75, PLighting: 0.75,
	}
}

// ArticleConfig is Resize(460), aug_transforms(size=200, max_rotate=20, max_zoom=1.2), without
// Normalize.
func ArticleConfig() Config {
	c := DefaultConfig(460, 200)
	c.MaxRotate, c.MaxZoom = 20, 1.2
	return c
}

// maxSide keeps the arithmetic of the kernels inside 32 bits.
const maxSide = 1 << 14

func (c Config) check() error {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case c.ItemSize < 1 || c.ItemSize > maxSide:
		return fmt.Errorf("item size %d: want 1 to %d", c.ItemSize, maxSide)
	case c.Size < 1 || c.Size > maxSide:
		return fmt.Errorf("size %d: want 1 to %d", c.Size, maxSide)
	case c.Pixels != Exact && c.Pixels != Fast:
		return fmt.Errorf("pixels %v: want exact or fast", c.Pixels)
	case !finite(c.MaxRotate) || c.MaxRotate < 0 || c.MaxRotate > 360:
		return fmt.Errorf("max rotate %g: want degrees from 0 to 360", c.MaxRotate)
	case !finite(c.MinZoom) || !finite(c.MaxZoom) || c.MinZoom <= 0 || c.MaxZoom < c.MinZoom:
		return fmt.Errorf("zoom %g to %g: want 0 < min <= max", c.MinZoom, c.MaxZoom)
	case !(c.MaxLighting >= 0 && c.MaxLighting < 1):
		return fmt.Errorf("max lighting %g: want 0 <= value < 1", c.MaxLighting)
	case !(c.MaxWarp >= 0 && c.MaxWarp < 1):
		return fmt.Errorf("max warp %g: want 0 <= value < 1", c.MaxWarp)
	case !(c.PAffine >= 0 && c.PAffine <= 1):
		return fmt.Errorf("probability of affine transforms %g: want 0 to 1", c.PAffine)
	case !(c.PLighting >= 0 && c.PLighting <= 1):
		return fmt.Errorf("probability of lighting %g: want 0 to 1", c.PLighting)
	case len(c.Mean) != len(c.Std) || (len(c.Mean) != 0 && len(c.Mean) != 3):
		return fmt.Errorf("normalise: %d means and %d standard deviations, want 3 of each or none", len(c.Mean), len(c.Std))
	}
	for i := range c.Std {
		if !finite(float64(c.Mean[i])) || !finite(float64(c.Std[i])) || c.Std[i] <= 0 {
			return fmt.Errorf("normalise: mean %g, standard deviation %g of channel %d: want numbers, the second above 0", c.Mean[i], c.Std[i], i)
		}
	}
	return nil
}
