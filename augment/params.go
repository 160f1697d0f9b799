package augment

import (
	"math"
	"math/rand/v2"
)

// Params are the random numbers of one sample, after their Bernoulli masks: everything that decides
// how one picture becomes one training sample.
type Params struct {
	// CropX and CropY say where in the free space the crop lies, 0 to 1; 0.5 is the centre.
	CropX, CropY float64
	// Flip mirrors left to right.
	Flip bool
	// Rotate is the angle in degrees.
	Rotate float64
	// Zoom is the magnification about the point (CenterX, CenterY), both 0 to 1 of the picture.
	Zoom, CenterX, CenterY float64
	// WarpX and WarpY tilt the picture about its axes.
	WarpX, WarpY float64
	// Brightness is fastai's b, 0.5 for none; Contrast its c, 1 for none.
	Brightness, Contrast float64
}

// Neutral is what validation uses: the centre crop and nothing else.
func Neutral() Params {
	return Params{CropX: 0.5, CropY: 0.5, Zoom: 1, CenterX: 0.5, CenterY: 0.5, Brightness: 0.5, Contrast: 1}
}

// Lit reports whether the lighting changes any pixel.
func (p Params) Lit() bool { return p.Brightness != 0.5 || p.Contrast != 1 }

// Draw draws the numbers of one training sample: sample is the picture's index in its data set. The
// numbers depend on nothing but the arguments, so any number of workers draws the same. The order
// is fastai's: for every transform the value first, then whether it applies.
func (p *Pipeline) Draw(seed int64, epoch, sample int) Params {
	c := &p.config
	r := generator(seed, epoch, sample)
	uniform := func(low, high float64) float64 { return low + (high-low)*r.Float64() }
	masked := func(low, high, probability, neutral float64) float64 {
		v := uniform(low, high)
		if r.Float64() < probability {
			return v
		}
		return neutral
	}
	out := Neutral()
	out.CropX, out.CropY = r.Float64(), r.Float64()
	if c.Flip {
		out.Flip = r.Float64() < 0.5
	}
	if c.MaxRotate > 0 {
		out.Rotate = masked(-c.MaxRotate, c.MaxRotate, c.PAffine, 0)
	}
	if c.MinZoom < 1 || c.MaxZoom > 1 {
		out.Zoom = masked(c.MinZoom, c.MaxZoom, c.PAffine, 1)
		out.CenterX, out.CenterY = r.Float64(), r.Float64()
	}
	if c.MaxWarp > 0 {
		out.WarpX = masked(-c.MaxWarp, c.MaxWarp, c.PAffine, 0)
		out.WarpY = masked(-c.MaxWarp, c.MaxWarp, c.PAffine, 0)
	}
	if c.MaxLighting > 0 {
		out.Brightness = masked(0.5*(1-c.MaxLighting), 0.5*(1+c.MaxLighting), c.PLighting, 0.5)
		limit := -math.Log(1 - c.MaxLighting)
		out.Contrast = math.Exp(masked(-limit, limit, c.PLighting, 0))
	}
	return out
}

// generator makes an independent stream for each (seed, epoch, sample).
func generator(seed int64, epoch, sample int) *rand.Rand {
	a := mix(uint64(seed) + 0x9e3779b97f4a7c15)
	b := mix(a ^ uint64(epoch))
	return rand.New(rand.NewPCG(mix(b^uint64(sample)), b))
}

// mix is the finaliser of SplitMix64: every input bit moves about half of the output bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
