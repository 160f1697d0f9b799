// Package augment turns decoded pictures into training batches: what fastai's Resize and
// aug_transforms do, in one pass of native code per picture, further transforms of fastai and
// torchvision, and the loader that runs it all beside the training.
//
// All randomness is drawn in Go from a generator seeded by (seed, epoch, sample), so a batch does
// not depend on the number of workers. The formulas are those of fastai 2.8 (vision/augment.py) and
// torchvision 0.26 (transforms.v2), checked against goldens they made.
package augment

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/wangkuiyi/orrery/internal/kernel"
)

// Pipeline is what happens to a picture. It is read-only and safe for many goroutines.
type Pipeline struct {
	list   List
	pixels Pixels
	config Config

	sizes  []Transform // the sizing stage
	bytes  Transform   // RandAugment or TrivialAugment; nil: none
	affine []Transform
	colour []Transform
	erase  bool
	mixer  Transform // MixUp or CutMix; nil: none

	item, size   int     // sides of the square after sizing and of the finished one
	areaSide     int     // side after fastai's area resize
	areaFactor   float64 // fastai's d
	direct       bool    // colours are at most lighting: one native call does it all
	scale, shift [3]float32
}

// New makes the pipeline of a configuration.
func New(c Config) (*Pipeline, error) {
	p, err := NewFromList(c.List(), c.Pixels)
	if err != nil {
		return nil, err
	}
	p.config = c
	return p, nil
}

// NewFromList makes a pipeline of any transforms, in the order they run. It begins with a sizing
// transform and keeps the order of the stages: sizes, 8-bit operations, geometry, sample, colours,
// normalize, random_erasing, mixup or cutmix.
func NewFromList(l List, pixels Pixels) (*Pipeline, error) {
	p := &Pipeline{list: slices.Clone(l), pixels: pixels, scale: [3]float32{1, 1, 1}, direct: true}
	if pixels != Exact && pixels != Fast {
		return nil, fmt.Errorf("augment: pixels %v: want exact or fast", pixels)
	}
	if len(l) == 0 || l[0].rank() != rankSize {
		return nil, errors.New("augment: a pipeline begins with resize, center_crop or random_resized_crop")
	}
	seen := map[string]bool{}
	for i, t := range l {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("augment: %s: %w", t.Name(), err)
		}
		if i > 0 && t.rank() < l[i-1].rank() {
			return nil, fmt.Errorf("augment: %s comes after %s: put (%s) before (%s)",
				t.Name(), l[i-1].Name(), stageNames[t.rank()], stageNames[l[i-1].rank()])
		}
		stage := t.Name()
		if r := t.rank(); r == rankBytes || r == rankSample || r == rankMix {
			stage = stageNames[r] // one of them at most
		}
		if _, alternating := t.(AlternatingFlip); alternating {
			stage = Flip{}.Name() // they draw the same parameter
		}
		if seen[stage] {
			return nil, fmt.Errorf("augment: (%s) twice", stage)
		}
		seen[stage] = true
		if pixels == Fast && filterOf(t) == Bicubic {
			return nil, fmt.Errorf("augment: %s: filter bicubic needs pixels exact; fast ones are sampled in one go, bilinearly", t.Name())
		}
		p.place(t)
	}
	if p.size == 0 {
		p.size = p.item
	}
	p.config = Config{ItemSize: p.item, Size: p.size, Pixels: pixels}
	// fastai's _grid_sample: d = min(h/H, w/W)/2; F.interpolate(scale_factor=1/d) floors the size.
	p.areaFactor = float64(p.item) / float64(p.size) / 2
	p.areaSide = int(math.Floor(float64(p.item) * (1 / p.areaFactor)))
	return p, nil
}

func (p *Pipeline) place(t Transform) {
	switch t.rank() {
	case rankSize:
		p.sizes = append(p.sizes, t)
		switch t := t.(type) {
		case Resize:
			p.item = t.Size
		case CenterCrop:
			p.item = t.Size
		case RandomResizedCrop:
			p.item = t.Size
		}
	case rankBytes:
		p.bytes = t
	case rankAffine:
		p.affine = append(p.affine, t)
	case rankSample:
		p.size = t.(Sample).Size
	case rankColour:
		p.colour = append(p.colour, t)
		switch t.(type) {
		case Brightness, Contrast:
		default:
			p.direct = false
		}
	case rankNormalize:
		n := t.(Normalize)
		for i := range n.Mean {
			p.scale[i] = 1 / n.Std[i]
			p.shift[i] = -n.Mean[i] / n.Std[i]
		}
	case rankErase:
		p.erase, p.direct = true, false
	case rankMix:
		p.mixer = t
	}
}

// Config returns the configuration the pipeline was made with; of a pipeline made from a list, only
// ItemSize, Size and Pixels.
func (p *Pipeline) Config() Config { return p.config }

// List returns the transforms in the order they run.
func (p *Pipeline) List() List { return slices.Clone(p.list) }

// Size is the side of the finished square in pixels.
func (p *Pipeline) Size() int { return p.size }

// Elements is the number of values of one sample, 3*Size*Size.
func (p *Pipeline) Elements() int { return 3 * p.size * p.size }

// AreaStep reports whether fastai resizes this batch by area before sampling it: it shrinks by more
// than d = item/size/2 > 1 and magnifies less than that everywhere, judged by the extreme
// coordinates of the whole batch (fastai's _grid_sample).
func (p *Pipeline) AreaStep(batch []Params) bool {
	if p.areaFactor <= 1 {
		return false
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i := range batch {
		a, b := extremes(p.Homography(batch[i]), p.size)
		low, high = min(low, a), max(high, b)
	}
	return p.areaFactor > 1/(high-low)*2
}

// extremes are the least and the greatest coordinate, of either axis, over a grid of n x n points
// from -1 to 1. A projective map has them in the corners while its denominator keeps its sign.
func extremes(m Matrix, n int) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	at := func(i int) float64 {
		if n == 1 {
			return 0
		}
		return -1 + 2*float64(i)/float64(n-1)
	}
	step := max(n-1, 1)
	for k := range 4 {
		if m[6]*float64(2*(k&1)-1)+m[7]*float64(k&2-1)+m[8] <= 0 {
			step = 1
		}
	}
	for i := 0; i < n; i += step {
		for j := 0; j < n; j += step {
			u, v := m.Apply(at(j), at(i))
			low, high = min(low, u, v), max(high, u, v)
		}
	}
	return low, high
}

// job plans the native work from a picture of which c is what the sizing stage left to do. area is
// the batch's decision of [Pipeline.AreaStep].
func (p *Pipeline) job(c cut, prm Params, area bool) kernel.Job {
	j := kernel.Job{
		CropX: c.r.Min.X, CropY: c.r.Min.Y, CropW: c.r.Dx(), CropH: c.r.Dy(),
		OutW: p.size, OutH: p.size, Scale: [3]float32{1, 1, 1}, LightGain: 1,
	}
	side := p.item
	if area {
		side = p.areaSide
	}
	// From -1..1 to pixel centres of the square that fastai samples.
	to := centres(side)
	if p.pixels == Exact {
		j.ItemW, j.ItemH, j.Filter = c.to.X, c.to.Y, c.filter
		if area {
			j.AreaW, j.AreaH = side, side
		}
		j.SpanX, j.SpanY = float64(side-1), float64(side-1)
		j.Homography = to.Mul(p.Homography(prm)).Mul(grid(p.size))
		return j
	}
	j.Quick = true
	// Fast: the same square, seen in pixels of the crop (or of its reduction): pixel centre q of a
	// square of `side` pixels is (q+0.5)*s-0.5 with s = source/side.
	sw, sh := j.CropW, j.CropH
	if k := min(j.CropW, j.CropH) / (2 * p.size); k > 1 {
		// A large photo: average blocks first, or single samples would alias.
		sw, sh = (j.CropW+k-1)/k, (j.CropH+k-1)/k
		j.AreaW, j.AreaH = sw, sh
	}
	kx, ky := float64(sw)/float64(side), float64(sh)/float64(side)
	j.LowX, j.LowY = kx/2-0.5, ky/2-0.5
	j.SpanX, j.SpanY = float64(side-1)*kx, float64(side-1)*ky
	scale := Matrix{kx, 0, 0, 0, ky, 0, 0, 0, 1}
	j.Homography = scale.Mul(to).Mul(p.Homography(prm)).Mul(grid(p.size))
	return j
}

// InBytes tells whether samples lose nothing but precision as [Uint8]: they are fast pixels, which come from 8 bits,
// and neither normalised, nor erased, nor mixed.
func (p *Pipeline) InBytes() bool {
	return p.pixels == Fast && p.direct && p.bytes == nil && p.mixer == nil && p.scale == [3]float32{1, 1, 1} && p.shift == [3]float32{}
}

// grid takes pixel indices 0..n-1 to -1..1 (a single pixel to 0).
func grid(n int) Matrix {
	if n == 1 {
		return Matrix{0, 0, 0, 0, 0, 0, 0, 0, 1}
	}
	s := 2 / float64(n-1)
	return Matrix{s, 0, -1, 0, s, -1, 0, 0, 1}
}

// centres takes -1..1 to pixel centres 0..n-1 (align_corners).
func centres(n int) Matrix {
	half := float64(n-1) / 2
	return Matrix{half, 0, half, 0, half, half, 0, 0, 1}
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }
