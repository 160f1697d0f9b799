// Package augment turns decoded pictures into training batches: what fastai's Resize and
// aug_transforms do, in one pass of native code per picture, and the loader that runs it beside the
// training.
//
// All randomness is drawn in Go from a generator seeded by (seed, epoch, sample), so a batch does
// not depend on the number of workers. The formulas are those of fastai 2.8 (vision/augment.py),
// checked against goldens it made.
package augment

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/wangkuiyi/orrery/augment/internal/kernel"
	"github.com/wangkuiyi/orrery/data"
)

// Pipeline is what happens to a picture. It is read-only and safe for many goroutines.
type Pipeline struct {
	config       Config
	areaSide     int     // side after fastai's area resize
	areaFactor   float64 // fastai's d
	scale, shift [3]float32
}

// New checks the configuration.
func New(c Config) (*Pipeline, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("augment: %w", err)
	}
	p := &Pipeline{config: c, scale: [3]float32{1, 1, 1}}
	// fastai's _grid_sample: d = min(h/H, w/W)/2; F.interpolate(scale_factor=1/d) floors the size.
	p.areaFactor = float64(c.ItemSize) / float64(c.Size) / 2
	p.areaSide = int(math.Floor(float64(c.ItemSize) * (1 / p.areaFactor)))
	for i := range c.Mean {
		p.scale[i] = 1 / c.Std[i]
		p.shift[i] = -c.Mean[i] / c.Std[i]
	}
	return p, nil
}

// Config returns the configuration the pipeline was made with.
func (p *Pipeline) Config() Config { return p.config }

// Elements is the number of values of one sample, 3*Size*Size.
func (p *Pipeline) Elements() int { return 3 * p.config.Size * p.config.Size }

// AreaStep reports whether fastai resizes this batch by area before sampling it: it shrinks by more
// than d = ItemSize/Size/2 > 1 and magnifies less than that everywhere, judged by the extreme
// coordinates of the whole batch (fastai's _grid_sample).
func (p *Pipeline) AreaStep(batch []Params) bool {
	if p.areaFactor <= 1 {
		return false
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i := range batch {
		a, b := extremes(batch[i].Homography(1), p.config.Size)
		low, high = min(low, a), max(high, b)
	}
	return p.areaFactor > 1/(high-low)*2
}

// extremes are the least and the greatest coordinate, of either axis, over a grid of n x n points
// from -1 to 1. A projective map has them in the corners while its denominator keeps its sign.
func extremes(m Matrix, n int) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	see := func(x, y float64) {
		u, v := m.Apply(x, y)
		low, high = min(low, u, v), max(high, u, v)
	}
	at := func(i int) float64 {
		if n == 1 {
			return 0
		}
		return -1 + 2*float64(i)/float64(n-1)
	}
	positive := 0
	for k := range 4 {
		if m[6]*float64(2*(k&1)-1)+m[7]*float64(k&2-1)+m[8] > 0 {
			positive++
		}
	}
	step := max(n-1, 1)
	if positive != 4 {
		step = 1
	}
	for i := 0; i < n; i += step {
		for j := 0; j < n; j += step {
			see(at(j), at(i))
		}
	}
	return low, high
}

// crop is fastai's Resize(method=crop): the largest rectangle of the item's shape, at the given
// fraction of the free space.
func (p *Pipeline) crop(w, h int, prm Params) (x, y, cw, ch int) {
	s := float64(p.config.ItemSize)
	m := min(float64(w)/s, float64(h)/s)
	cw, ch = max(int(m*s), 1), max(int(m*s), 1)
	return int(prm.CropX * float64(w-cw)), int(prm.CropY * float64(h-ch)), cw, ch
}

// job plans the pixel work of one picture. area is the batch's decision of [Pipeline.AreaStep].
func (p *Pipeline) job(w, h int, prm Params, area bool, layout Layout) kernel.Job {
	c := &p.config
	j := kernel.Job{OutW: c.Size, OutH: c.Size, Layout: kernel.Layout(layout), Scale: p.scale, Shift: p.shift}
	j.CropX, j.CropY, j.CropW, j.CropH = p.crop(w, h, prm)
	if prm.Lit() {
		j.LightOffset, j.LightGain = logit(prm.Brightness), prm.Contrast
	} else {
		j.LightGain = 1
	}
	side := c.ItemSize
	if area {
		side = p.areaSide
	}
	// From -1..1 to pixel centres of the square that fastai samples.
	to := centres(side)
	if c.Pixels == Exact {
		j.ItemW, j.ItemH = c.ItemSize, c.ItemSize
		if area {
			j.AreaW, j.AreaH = side, side
		}
		j.SpanX, j.SpanY = float64(side-1), float64(side-1)
		j.Homography = to.Mul(prm.Homography(1)).Mul(grid(c.Size))
		return j
	}
	// Fast: the same square, seen in pixels of the crop (or of its reduction): pixel centre q of a
	// square of `side` pixels is (q+0.5)*s-0.5 with s = source/side.
	sw, sh := j.CropW, j.CropH
	if k := min(j.CropW, j.CropH) / (2 * c.Size); k > 1 {
		// A large photo: average blocks first, or single samples would alias.
		sw, sh = (j.CropW+k-1)/k, (j.CropH+k-1)/k
		j.AreaW, j.AreaH = sw, sh
	}
	kx, ky := float64(sw)/float64(side), float64(sh)/float64(side)
	j.LowX, j.LowY = kx/2-0.5, ky/2-0.5
	j.SpanX, j.SpanY = float64(side-1)*kx, float64(side-1)*ky
	scale := Matrix{kx, 0, 0, 0, ky, 0, 0, 0, 1}
	j.Homography = scale.Mul(to).Mul(prm.Homography(1)).Mul(grid(c.Size))
	return j
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

// Worker applies a pipeline on one goroutine at a time; it owns native scratch memory until Close.
type Worker struct {
	p *Pipeline
	k *kernel.Worker
}

// NewWorker makes a worker.
func (p *Pipeline) NewWorker() (*Worker, error) { return p.newWorker(false) }

func (p *Pipeline) newWorker(scalar bool) (*Worker, error) {
	k, err := kernel.NewWorker(scalar)
	if err != nil {
		return nil, err
	}
	return &Worker{p, k}, nil
}

// Close frees the worker's memory.
func (w *Worker) Close() { w.k.Close() }

// Apply makes one sample of pic in dst, which holds [Pipeline.Elements] values: [3, Size, Size] or
// [Size, Size, 3] by layout, in [0, 1] before normalisation. area is [Pipeline.AreaStep] of the
// batch the sample belongs to.
func (w *Worker) Apply(dst []float32, pic *data.Picture, prm Params, area bool, layout Layout) error {
	if len(dst) != w.p.Elements() {
		return fmt.Errorf("augment: %d values for a sample of %d", len(dst), w.p.Elements())
	}
	job := w.p.job(pic.Width, pic.Height, prm, area, layout)
	return w.k.Run(pic.Pix, pic.Width, pic.Height, &job, unsafe.Pointer(unsafe.SliceData(dst)))
}
