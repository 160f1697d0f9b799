package augment

import "fmt"

// Pixels chooses the arithmetic of the pixels.
type Pixels int

const (
	// Exact follows fastai's arithmetic: Pillow's resize to the item's size, the area resize when
	// fastai would do it, then one projective sampling. Where both resizes apply they are one filter,
	// without fastai's rounding to 8 bits between them, which is a difference of 62 dB or better.
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
// value is not useful: begin with [ArticleConfig] or [DefaultConfig]. Other pipelines are a [List].
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

// List is the pipeline the configuration stands for.
func (c Config) List() List {
	l := List{Resize{Size: c.ItemSize, Method: MethodCrop}}
	if c.Flip {
		l = append(l, Flip{P: 0.5})
	}
	if c.MaxRotate != 0 {
		l = append(l, Rotate{Max: c.MaxRotate, P: c.PAffine})
	}
	if c.MinZoom != 1 || c.MaxZoom != 1 {
		l = append(l, Zoom{Min: c.MinZoom, Max: c.MaxZoom, P: c.PAffine})
	}
	if c.MaxWarp != 0 {
		l = append(l, Warp{Max: c.MaxWarp, P: c.PAffine})
	}
	l = append(l, Sample{Size: c.Size})
	if c.MaxLighting != 0 {
		l = append(l, Brightness{Max: c.MaxLighting, P: c.PLighting}, Contrast{Max: c.MaxLighting, P: c.PLighting})
	}
	if len(c.Mean) > 0 || len(c.Std) > 0 {
		l = append(l, Normalize{Mean: c.Mean, Std: c.Std})
	}
	return l
}
