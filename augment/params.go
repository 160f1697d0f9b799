package augment

import (
	"image"
	"math"
	"math/rand/v2"
)

// Params are the random numbers of one sample, after their Bernoulli masks: everything that decides
// how one picture becomes one training sample.
type Params struct {
	// CropX and CropY say where in the free space the crop lies, 0 to 1; 0.5 is the centre.
	CropX, CropY float64
	// Seed begins the numbers that depend on the picture's size or count by pixels: the rectangle of
	// RandomResizedCrop and the noise of RandomErasing.
	Seed uint64
	// Train is false for a validation sample.
	Train bool

	// Ops are the operations of RandAugment or TrivialAugment.
	Ops []Op

	// Flip mirrors left to right.
	Flip bool
	// ShiftX and ShiftY move what the finished square sees to the right and down, 2 being all of its way from the
	// first pixel to the last.
	ShiftX, ShiftY float64
	// Dihedral is a symmetry of the square, 0 to 7, 0 for none.
	Dihedral int
	// Rotate is the angle in degrees.
	Rotate float64
	// Zoom is the magnification about the point (CenterX, CenterY), both 0 to 1 of the picture.
	Zoom, CenterX, CenterY float64
	// WarpX and WarpY tilt the picture about its axes.
	WarpX, WarpY float64

	// Brightness is fastai's b, 0.5 for none; Contrast and Saturation its factors, 1 for none; Hue in
	// turns, 0 for none.
	Brightness, Contrast, Saturation, Hue float64
	// Gray drops the colours.
	Gray bool
	// Sigma is the blur's, in pixels; 0 for none.
	Sigma float64

	// Erase are rectangles of the finished sample to fill with noise.
	Erase []image.Rectangle
}

// Neutral is what validation uses: the centre crop and nothing else.
func Neutral() Params {
	return Params{CropX: 0.5, CropY: 0.5, Zoom: 1, CenterX: 0.5, CenterY: 0.5, Brightness: 0.5, Contrast: 1, Saturation: 1}
}

// Draw draws the numbers of one training sample: sample is the picture's index in its data set. The
// numbers depend on nothing but the arguments, so any number of workers draws the same. Transforms
// draw in the order of the list, each the value first, then whether it applies, as fastai does.
func (p *Pipeline) Draw(seed int64, epoch, sample int) Params {
	d := drawer{generator(seed, epoch, sample)}
	out := Neutral()
	out.Train = true
	for _, t := range p.list {
		if _, alternating := t.(AlternatingFlip); alternating {
			out.Flip = flipped(seed, epoch, sample)
		}
		d.draw(t, &out, p.size, p.item)
	}
	return out
}

// drawer draws as fastai's transforms do.
type drawer struct{ *rand.Rand }

func (d drawer) uniform(low, high float64) float64 { return low + (high-low)*d.Float64() }

// integer draws from low to high, both included.
func (d drawer) integer(low, high int) int { return low + d.IntN(high-low+1) }

func (d drawer) masked(low, high, p, neutral float64) float64 {
	v := d.uniform(low, high)
	if d.Float64() < p {
		return v
	}
	return neutral
}

// factor draws exp(U(ln(1-max), -ln(1-max))).
func (d drawer) factor(limit, p, neutral float64) float64 {
	limit = -math.Log(1 - limit)
	v := math.Exp(d.uniform(-limit, limit))
	if d.Float64() < p {
		return v
	}
	return neutral
}

func (d drawer) draw(t Transform, out *Params, size, item int) {
	switch t := t.(type) {
	case Resize:
		if t.Method != MethodSquish {
			out.CropX, out.CropY = d.Float64(), d.Float64()
		}
	case RandomResizedCrop:
		out.Seed = d.Uint64()
	case RandAugment:
		for range t.Ops {
			out.Ops = append(out.Ops, d.operation(randSpace(item, t.Bins), t.Magnitude))
		}
	case TrivialAugment:
		space := trivialSpace(t.Bins)
		out.Ops = append(out.Ops, d.operation(space, d.IntN(t.Bins)))
	case Flip:
		out.Flip = d.Float64() < t.P
	case Shift:
		step := 2 / float64(max(size-1, 1))
		out.ShiftX, out.ShiftY = step*float64(d.integer(-t.Max, t.Max)), step*float64(d.integer(-t.Max, t.Max))
	case Dihedral:
		if k := d.IntN(8); d.Float64() < t.P {
			out.Dihedral = k
		}
	case Rotate:
		out.Rotate = d.masked(-t.Max, t.Max, t.P, 0)
	case Zoom:
		out.Zoom = d.masked(t.Min, t.Max, t.P, 1)
		out.CenterX, out.CenterY = d.Float64(), d.Float64()
	case Warp:
		out.WarpX = d.masked(-t.Max, t.Max, t.P, 0)
		out.WarpY = d.masked(-t.Max, t.Max, t.P, 0)
	case Brightness:
		out.Brightness = d.masked(0.5*(1-t.Max), 0.5*(1+t.Max), t.P, 0.5)
	case Contrast:
		out.Contrast = d.factor(t.Max, t.P, 1)
	case Saturation:
		out.Saturation = d.factor(t.Max, t.P, 1)
	case Hue:
		out.Hue = d.factor(t.Max, t.P, 0)
	case Grayscale:
		out.Gray = d.Float64() < t.P
	case Blur:
		out.Sigma = d.masked(t.MinSigma, t.MaxSigma, t.P, 0)
	case RandomErasing:
		if d.Float64() < t.P {
			out.Erase = t.rectangles(d, size)
			out.Seed ^= d.Uint64()
		}
	}
}

// generator makes an independent stream for each (seed, epoch, sample).
func generator(seed int64, epoch, sample int) *rand.Rand {
	a := mix(uint64(seed) + 0x9e3779b97f4a7c15)
	b := mix(a ^ uint64(epoch))
	return rand.New(rand.NewPCG(mix(b^uint64(sample)), b))
}

// flipped tells whether it is the sample's turn to be mirrored in an epoch.
func flipped(seed int64, epoch, sample int) bool {
	first := mix(mix(uint64(seed)+0x9e3779b97f4a7c15) + 0x9e3779b97f4a7c15*uint64(sample))
	return (first^uint64(epoch))&1 == 1
}

// mix is the finaliser of SplitMix64: every input bit moves about half of the output bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
