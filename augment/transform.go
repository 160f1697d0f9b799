package augment

import (
	"fmt"
	"math"
	"slices"

	"github.com/wangkuiyi/orrery/internal/kernel"
)

// Transform is one entry of a pipeline: [Resize], [CenterCrop], [RandomResizedCrop], [RandAugment],
// [TrivialAugment], [Flip], [AlternatingFlip], [Shift], [Dihedral], [Rotate], [Zoom], [Warp], [Sample], [Brightness],
// [Contrast], [Saturation], [Hue], [Grayscale], [Blur], [Normalize], [RandomErasing], [MixUp] or
// [CutMix].
type Transform interface {
	// Name is the word recipes use.
	Name() string
	rank() rank
	check() error
}

// rank orders the stages of a pipeline; within one stage the list's order counts.
type rank int

const (
	rankSize rank = iota
	rankBytes
	rankAffine
	rankWarp
	rankSample
	rankColour
	rankNormalize
	rankErase
	rankMix
)

var stageNames = [...]string{
	"resize, center_crop, random_resized_crop", "rand_augment, trivial_augment",
	"flip, alternating_flip, shift, dihedral, rotate, zoom", "warp", "sample",
	"brightness, contrast, saturation, hue, grayscale, blur", "normalize", "random_erasing", "mixup, cutmix",
}

// Resize methods and paddings, fastai's ResizeMethod and PadMode.
const (
	MethodCrop   = "crop"   // the largest square; random in training, central in validation
	MethodPad    = "pad"    // the whole picture, padded to a square
	MethodSquish = "squish" // the whole picture, its aspect ignored

	PadReflection = "reflection"
	PadBorder     = "border"
	PadZeros      = "zeros"
)

// Filter is how a resize interpolates.
type Filter string

// Pillow's antialiased filters. Pixels of the kind Fast are sampled in one go and know no other than bilinear.
const (
	Bilinear Filter = "bilinear"
	Bicubic  Filter = "bicubic"
)

// kernel is the filter's number; "" is bilinear.
func (f Filter) kernel() kernel.Filter {
	if f == Bicubic {
		return kernel.Bicubic
	}
	return kernel.Bilinear
}

// filterOf is the filter of a sizing transform that resizes.
func filterOf(t Transform) Filter {
	switch t := t.(type) {
	case Resize:
		return t.Filter
	case RandomResizedCrop:
		return t.Filter
	}
	return ""
}

// Filtered is the list with the filter for each resize that names none.
func (l List) Filtered(f Filter) List {
	out := slices.Clone(l)
	for i, t := range out {
		switch t := t.(type) {
		case Resize:
			t.Filter = Filter(orElse(string(t.Filter), string(f)))
			out[i] = t
		case RandomResizedCrop:
			t.Filter = Filter(orElse(string(t.Filter), string(f)))
			out[i] = t
		}
	}
	return out
}

// Resize makes a square of Size x Size pixels with one of Pillow's antialiased filters (fastai's
// Resize).
type Resize struct {
	Size   int    `yaml:"size"`
	Method string `yaml:"method,omitempty"` // "": crop
	Pad    string `yaml:"pad,omitempty"`    // of the method pad; "": reflection
	Filter Filter `yaml:"filter,omitempty"` // "": bilinear
}

// CenterCrop cuts Size x Size pixels from the middle, without resizing; smaller pictures are padded
// (fastai's CropPad, torchvision's CenterCrop).
type CenterCrop struct {
	Size int    `yaml:"size"`
	Pad  string `yaml:"pad,omitempty"` // "": zeros
}

// RandomResizedCrop cuts a random rectangle of MinScale to MaxScale of the area and an aspect ratio
// of MinRatio to MaxRatio and resizes it to Size x Size. In validation the whole picture is squished
// to a little more than Size, and the centre of that is used (fastai's RandomResizedCrop).
type RandomResizedCrop struct {
	Size     int     `yaml:"size"`
	MinScale float64 `yaml:"min_scale"`
	MaxScale float64 `yaml:"max_scale"`
	MinRatio float64 `yaml:"min_ratio"`
	MaxRatio float64 `yaml:"max_ratio"`
	Filter   Filter  `yaml:"filter,omitempty"` // "": bilinear
}

// RandAugment applies Ops random 8-bit operations of the same magnitude, 0 to Bins-1 (torchvision's
// v2.RandAugment on tensors, nearest neighbour, black outside).
type RandAugment struct {
	Ops       int `yaml:"ops"`
	Magnitude int `yaml:"magnitude"`
	Bins      int `yaml:"bins"`
}

// TrivialAugment applies one random 8-bit operation of a random magnitude (torchvision's
// v2.TrivialAugmentWide).
type TrivialAugment struct {
	Bins int `yaml:"bins"`
}

// Flip mirrors left to right with probability P.
type Flip struct {
	P float64 `yaml:"p"`
}

// AlternatingFlip mirrors each picture left to right every other epoch: about half of them, by a hash of their index, in
// the even ones, the others in the odd ones. Two epochs then show each picture both ways, which random flips do only for
// half of them (Jordan's airbench, 2024).
type AlternatingFlip struct{}

// Shift moves by a whole number of pixels of the finished square, up to Max either way along each axis, all equally
// likely; what comes in mirrors the picture about the centres of its outermost pixels, as everything from beyond the edge
// does.
type Shift struct {
	Max int `yaml:"max"`
}

// Dihedral applies one of the eight symmetries of the square with probability P (fastai's Dihedral,
// which aug_transforms uses for flip_vert).
type Dihedral struct {
	P float64 `yaml:"p"`
}

// Rotate turns by up to Max degrees either way with probability P.
type Rotate struct {
	Max float64 `yaml:"max"`
	P   float64 `yaml:"p"`
}

// Zoom magnifies by Min to Max about a random point with probability P.
type Zoom struct {
	Min float64 `yaml:"min"`
	Max float64 `yaml:"max"`
	P   float64 `yaml:"p"`
}

// Warp tilts about each axis by up to Max, each with probability P.
type Warp struct {
	Max float64 `yaml:"max"`
	P   float64 `yaml:"p"`
}

// Sample is where the geometry is carried out: one projective sampling, bilinear with reflection, to
// Size x Size pixels (the size argument of aug_transforms). Without it the size stays that of the
// stage before.
type Sample struct {
	Size int `yaml:"size"`
}

// Brightness adds logit(b), b uniform within 0.5*(1 +- Max), to the pixels' logits with probability
// P (fastai's Brightness).
type Brightness struct {
	Max float64 `yaml:"max"`
	P   float64 `yaml:"p"`
}

// Contrast multiplies the pixels' logits by a factor between 1-Max and 1/(1-Max) with probability P
// (fastai's Contrast).
type Contrast struct {
	Max float64 `yaml:"max"`
	P   float64 `yaml:"p"`
}

// Saturation moves the pixels' logits from or to their grey by such a factor (fastai's Saturation).
type Saturation struct {
	Max float64 `yaml:"max"`
	P   float64 `yaml:"p"`
}

// Hue turns the hue by a factor between 1-Max and 1/(1-Max), taken as turns, with probability P
// (fastai's Hue).
type Hue struct {
	Max float64 `yaml:"max"`
	P   float64 `yaml:"p"`
}

// Grayscale replaces the colours by their luma with probability P (torchvision's RandomGrayscale).
type Grayscale struct {
	P float64 `yaml:"p"`
}

// Blur is a Gaussian blur of Kernel x Kernel pixels, sigma uniform from MinSigma to MaxSigma, with
// probability P (torchvision's GaussianBlur).
type Blur struct {
	Kernel   int     `yaml:"kernel"`
	MinSigma float64 `yaml:"min_sigma"`
	MaxSigma float64 `yaml:"max_sigma"`
	P        float64 `yaml:"p"`
}

// Normalize subtracts Mean and divides by Std, per channel of values in [0, 1].
type Normalize struct {
	Mean []float32 `yaml:"mean,flow"`
	Std  []float32 `yaml:"std,flow"`
}

// RandomErasing fills up to Count rectangles, together MinArea to MaxArea of the picture and of
// aspect ratios from MinAspect to 1/MinAspect, with N(0, 1) noise, with probability P (fastai's
// RandomErasing; it runs after Normalize).
type RandomErasing struct {
	P         float64 `yaml:"p"`
	MinArea   float64 `yaml:"min_area"`
	MaxArea   float64 `yaml:"max_area"`
	MinAspect float64 `yaml:"min_aspect"`
	Count     int     `yaml:"count"`
}

// MixUp blends each picture of a batch with another one, the weight from Beta(Alpha, Alpha)
// (fastai's MixUp).
type MixUp struct {
	Alpha float64 `yaml:"alpha"`
}

// CutMix pastes a rectangle of another picture of the batch, its area from Beta(Alpha, Alpha)
// (fastai's CutMix).
type CutMix struct {
	Alpha float64 `yaml:"alpha"`
}

func (Resize) Name() string            { return "resize" }
func (CenterCrop) Name() string        { return "center_crop" }
func (RandomResizedCrop) Name() string { return "random_resized_crop" }
func (RandAugment) Name() string       { return "rand_augment" }
func (TrivialAugment) Name() string    { return "trivial_augment" }
func (Flip) Name() string              { return "flip" }
func (AlternatingFlip) Name() string   { return "alternating_flip" }
func (Shift) Name() string             { return "shift" }
func (Dihedral) Name() string          { return "dihedral" }
func (Rotate) Name() string            { return "rotate" }
func (Zoom) Name() string              { return "zoom" }
func (Warp) Name() string              { return "warp" }
func (Sample) Name() string            { return "sample" }
func (Brightness) Name() string        { return "brightness" }
func (Contrast) Name() string          { return "contrast" }
func (Saturation) Name() string        { return "saturation" }
func (Hue) Name() string               { return "hue" }
func (Grayscale) Name() string         { return "grayscale" }
func (Blur) Name() string              { return "blur" }
func (Normalize) Name() string         { return "normalize" }
func (RandomErasing) Name() string     { return "random_erasing" }
func (MixUp) Name() string             { return "mixup" }
func (CutMix) Name() string            { return "cutmix" }

func (Resize) rank() rank            { return rankSize }
func (CenterCrop) rank() rank        { return rankSize }
func (RandomResizedCrop) rank() rank { return rankSize }
func (RandAugment) rank() rank       { return rankBytes }
func (TrivialAugment) rank() rank    { return rankBytes }
func (Flip) rank() rank              { return rankAffine }
func (AlternatingFlip) rank() rank   { return rankAffine }
func (Shift) rank() rank             { return rankAffine }
func (Dihedral) rank() rank          { return rankAffine }
func (Rotate) rank() rank            { return rankAffine }
func (Zoom) rank() rank              { return rankAffine }
func (Warp) rank() rank              { return rankWarp }
func (Sample) rank() rank            { return rankSample }
func (Brightness) rank() rank        { return rankColour }
func (Contrast) rank() rank          { return rankColour }
func (Saturation) rank() rank        { return rankColour }
func (Hue) rank() rank               { return rankColour }
func (Grayscale) rank() rank         { return rankColour }
func (Blur) rank() rank              { return rankColour }
func (Normalize) rank() rank         { return rankNormalize }
func (RandomErasing) rank() rank     { return rankErase }
func (MixUp) rank() rank             { return rankMix }
func (CutMix) rank() rank            { return rankMix }

// maxSide keeps the arithmetic of the kernels inside 32 bits.
const maxSide = 1 << 14

func within(what string, v, low, high float64) error {
	if !(v >= low && v <= high) { // false for NaN too
		return fmt.Errorf("%s %g: want %g to %g", what, v, low, high)
	}
	return nil
}

func probability(p float64) error { return within("p", p, 0, 1) }

func side(n int) error {
	if n < 1 || n > maxSide {
		return fmt.Errorf("size %d: want 1 to %d", n, maxSide)
	}
	return nil
}

func oneOf(what, v string, choices ...string) error {
	for _, c := range choices {
		if v == c {
			return nil
		}
	}
	return fmt.Errorf("%s %q: want one of %q", what, v, choices[1:])
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// factor checks a Max that 1-Max is taken of.
func factor(v float64) error {
	if !(v >= 0 && v < 1) {
		return fmt.Errorf("max %g: want 0 <= max < 1", v)
	}
	return nil
}

func (t Resize) check() error {
	return first(side(t.Size), oneOf("method", t.Method, "", MethodCrop, MethodPad, MethodSquish),
		oneOf("pad", t.Pad, "", PadReflection, PadBorder, PadZeros), t.Filter.check())
}

func (f Filter) check() error {
	return oneOf("filter", string(f), "", string(Bilinear), string(Bicubic))
}

func (t CenterCrop) check() error {
	return first(side(t.Size), oneOf("pad", t.Pad, "", PadReflection, PadBorder, PadZeros))
}

func (t RandomResizedCrop) check() error {
	if !(t.MinScale > 0 && t.MinScale <= t.MaxScale && t.MaxScale <= 1) {
		return fmt.Errorf("scale %g to %g: want 0 < min <= max <= 1", t.MinScale, t.MaxScale)
	}
	if !(t.MinRatio > 0 && t.MinRatio <= t.MaxRatio) || math.IsInf(t.MaxRatio, 0) {
		return fmt.Errorf("ratio %g to %g: want 0 < min <= max", t.MinRatio, t.MaxRatio)
	}
	return first(side(t.Size), t.Filter.check())
}

func (t RandAugment) check() error {
	if t.Ops < 0 || t.Bins < 2 || t.Magnitude < 0 || t.Magnitude >= t.Bins {
		return fmt.Errorf("%d ops of magnitude %d in %d bins: want ops >= 0, bins >= 2, 0 <= magnitude < bins", t.Ops, t.Magnitude, t.Bins)
	}
	return nil
}

func (t TrivialAugment) check() error {
	if t.Bins < 2 {
		return fmt.Errorf("%d bins: want at least 2", t.Bins)
	}
	return nil
}

func (t Flip) check() error     { return probability(t.P) }
func (t Dihedral) check() error { return probability(t.P) }

func (AlternatingFlip) check() error { return nil }

func (t Shift) check() error {
	if t.Max < 0 || t.Max > maxSide {
		return fmt.Errorf("max %d: want 0 to %d pixels", t.Max, maxSide)
	}
	return nil
}

func (t Rotate) check() error {
	return first(within("max", t.Max, 0, 360), probability(t.P))
}

func (t Zoom) check() error {
	if !(t.Min > 0 && t.Min <= t.Max) || math.IsInf(t.Max, 0) {
		return fmt.Errorf("zoom %g to %g: want 0 < min <= max", t.Min, t.Max)
	}
	return probability(t.P)
}

func (t Warp) check() error       { return first(factor(t.Max), probability(t.P)) }
func (t Sample) check() error     { return side(t.Size) }
func (t Brightness) check() error { return first(factor(t.Max), probability(t.P)) }
func (t Contrast) check() error   { return first(factor(t.Max), probability(t.P)) }
func (t Saturation) check() error { return first(factor(t.Max), probability(t.P)) }
func (t Hue) check() error        { return first(factor(t.Max), probability(t.P)) }
func (t Grayscale) check() error  { return probability(t.P) }

func (t Blur) check() error {
	if t.Kernel < 1 || t.Kernel%2 == 0 || t.Kernel > 255 {
		return fmt.Errorf("kernel %d: want an odd number from 1 to 255", t.Kernel)
	}
	if !(t.MinSigma > 0 && t.MinSigma <= t.MaxSigma) || math.IsInf(t.MaxSigma, 0) {
		return fmt.Errorf("sigma %g to %g: want 0 < min <= max", t.MinSigma, t.MaxSigma)
	}
	return probability(t.P)
}

func (t Normalize) check() error {
	if len(t.Mean) != 3 || len(t.Std) != 3 {
		return fmt.Errorf("%d means and %d standard deviations: want 3 of each", len(t.Mean), len(t.Std))
	}
	for i := range t.Std {
		m, s := float64(t.Mean[i]), float64(t.Std[i])
		if math.IsNaN(m) || math.IsInf(m, 0) || !(s > 0) || math.IsInf(s, 0) {
			return fmt.Errorf("mean %g, standard deviation %g of channel %d: want numbers, the second above 0", m, s, i)
		}
	}
	return nil
}

func (t RandomErasing) check() error {
	if !(t.MinArea >= 0 && t.MinArea <= t.MaxArea && t.MaxArea <= 1) {
		return fmt.Errorf("area %g to %g: want 0 <= min <= max <= 1", t.MinArea, t.MaxArea)
	}
	if t.Count < 1 {
		return fmt.Errorf("count %d: want at least 1", t.Count)
	}
	if !(t.MinAspect > 0 && t.MinAspect <= 1) {
		return fmt.Errorf("min aspect %g: want 0 < value <= 1", t.MinAspect)
	}
	return probability(t.P)
}

func positive(alpha float64) error {
	if !(alpha > 0) || math.IsInf(alpha, 0) {
		return fmt.Errorf("alpha %g: want above 0", alpha)
	}
	return nil
}

func (t MixUp) check() error  { return positive(t.Alpha) }
func (t CutMix) check() error { return positive(t.Alpha) }
