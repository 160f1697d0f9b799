package augment

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// cut is one step of the sizing stage: a rectangle, perhaps reaching beyond the picture, and the
// size it is resized to (zero: not) with which filter.
type cut struct {
	r      image.Rectangle
	pad    string
	to     image.Point
	filter kernel.Filter
}

// maxPadded bounds the pixels of a padded square before it is resized. A line of 20,000 pixels would
// otherwise become 1.6 GB.
const maxPadded = 1 << 24

func square(n int) image.Point { return image.Pt(n, n) }

// chooser is where random sizes come from: a drawer, or in a test what fastai drew.
type chooser interface {
	uniform(low, high float64) float64
	integer(low, high int) int
}

// cuts are the steps of a sizing transform for a picture of w x h pixels.
func cuts(t Transform, w, h int, prm Params) []cut {
	whole := image.Rect(0, 0, w, h)
	switch t := t.(type) {
	case Resize:
		if t.Method == MethodSquish {
			return []cut{{r: whole, to: square(t.Size), filter: t.Filter.kernel()}}
		}
		s := float64(t.Size)
		m := min(float64(w)/s, float64(h)/s)
		if t.Method == MethodPad {
			m = max(float64(w)/s, float64(h)/s)
		}
		n := max(int(m*s), 1)
		if t.Method == MethodPad && n*n > maxPadded && n > 8*t.Size {
			// Here, and only here, the result is not fastai's to the last bit.
			shrink := 8 * s / float64(max(w, h))
			small := image.Pt(max(int(float64(w)*shrink), 1), max(int(float64(h)*shrink), 1))
			return append([]cut{{r: whole, to: small, filter: t.Filter.kernel()}}, cuts(t, small.X, small.Y, prm)...)
		}
		x, y := int(prm.CropX*float64(w-n)), int(prm.CropY*float64(h-n))
		return []cut{{r: image.Rect(x, y, x+n, y+n), pad: orElse(t.Pad, PadReflection), to: square(t.Size), filter: t.Filter.kernel()}}
	case CenterCrop:
		return []cut{{r: centred(w, h, t.Size), pad: orElse(t.Pad, PadZeros)}}
	case RandomResizedCrop:
		if !prm.Train {
			// 14 % more than Size, in steps of 8 pixels.
			final := t.Size + int(math.Ceil(float64(t.Size)*0.14/8))*8
			return []cut{{r: whole, to: square(final), filter: t.Filter.kernel()}, {r: centred(final, final, t.Size)}}
		}
		d := drawer{rand.New(rand.NewPCG(prm.Seed, 0))}
		return []cut{{r: t.rectangle(w, h, d), to: square(t.Size), filter: t.Filter.kernel()}}
	}
	return nil
}

// Square is what validation takes of a picture of w x h pixels before it resizes anything.
func (p *Pipeline) Square(w, h int) image.Rectangle { return cuts(p.sizes[0], w, h, Neutral())[0].r }

// centred is fastai's centre crop: (side - size) // 2, rounded down also when negative.
func centred(w, h, size int) image.Rectangle {
	x, y := (w-size)>>1, (h-size)>>1
	return image.Rect(x, y, x+size, y+size)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// rectangle is the crop of fastai's RandomResizedCrop: ten tries, then the nearest aspect ratio.
func (t RandomResizedCrop) rectangle(w, h int, d chooser) image.Rectangle {
	for range 10 {
		area := d.uniform(t.MinScale, t.MaxScale) * float64(w) * float64(h)
		ratio := math.Exp(d.uniform(math.Log(t.MinRatio), math.Log(t.MaxRatio)))
		cw := int(math.RoundToEven(math.Sqrt(area * ratio)))
		ch := int(math.RoundToEven(math.Sqrt(area / ratio)))
		if cw <= w && ch <= h {
			x, y := d.integer(0, w-cw), d.integer(0, h-ch)
			return image.Rect(x, y, x+max(cw, 1), y+max(ch, 1)).Intersect(image.Rect(0, 0, w, h))
		}
	}
	cw, ch := w, h
	switch aspect := float64(w) / float64(h); {
	case aspect < t.MinRatio:
		ch = max(int(float64(w)/t.MinRatio), 1)
	case aspect > t.MaxRatio:
		cw = max(int(float64(h)*t.MaxRatio), 1)
	}
	x, y := (w-cw)/2, (h-ch)/2
	return image.Rect(x, y, x+cw, y+ch)
}

// sized runs all but the last of the sizing steps and returns the picture and the rectangle, now
// inside it, that remain to be resized (or to be used as it is).
func (w *Worker) sized(pic *data.Picture, prm Params) (*data.Picture, cut, error) {
	last := cut{r: image.Rect(0, 0, pic.Width, pic.Height)}
	for _, t := range w.p.sizes {
		for _, c := range cuts(t, last.size().X, last.size().Y, prm) {
			var err error
			if pic, err = w.carryOut(pic, last); err != nil {
				return nil, cut{}, err
			}
			if !c.r.In(image.Rect(0, 0, pic.Width, pic.Height)) {
				pic = w.padded(pic, c)
				c.r = image.Rect(0, 0, pic.Width, pic.Height)
			}
			last = c
		}
	}
	return pic, last, nil
}

// size is that of the picture the cut makes.
func (c cut) size() image.Point {
	if c.to.X > 0 {
		return c.to
	}
	return c.r.Size()
}

// carryOut makes the picture of a cut inside pic; pic itself when there is nothing to do.
func (w *Worker) carryOut(pic *data.Picture, c cut) (*data.Picture, error) {
	if c.to.X == 0 && c.r == image.Rect(0, 0, pic.Width, pic.Height) {
		return pic, nil
	}
	n := c.size()
	out := w.picture(n.X, n.Y)
	if c.to.X == 0 {
		for y := range n.Y {
			from := 4 * ((c.r.Min.Y+y)*pic.Width + c.r.Min.X)
			copy(out.Pix[4*y*n.X:4*(y+1)*n.X], pic.Pix[from:])
		}
		return out, nil
	}
	job := kernel.Job{CropX: c.r.Min.X, CropY: c.r.Min.Y, CropW: c.r.Dx(), CropH: c.r.Dy(), ItemW: n.X, ItemH: n.Y, Filter: c.filter}
	return out, w.k.Resize(pic.Pix, pic.Width, pic.Height, &job, out.Pix)
}

// padded makes the picture of a rectangle that reaches beyond pic.
func (w *Worker) padded(pic *data.Picture, c cut) *data.Picture {
	out := w.picture(c.r.Dx(), c.r.Dy())
	columns := make([]int, out.Width)
	for x := range columns {
		columns[x] = outside(c.r.Min.X+x, pic.Width, c.pad)
	}
	for y := range out.Height {
		row := out.Pix[4*y*out.Width : 4*(y+1)*out.Width]
		from := outside(c.r.Min.Y+y, pic.Height, c.pad)
		for x, at := range columns {
			if from < 0 || at < 0 {
				row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = 0, 0, 0, 255
				continue
			}
			copy(row[4*x:4*x+4], pic.Pix[4*(from*pic.Width+at):])
		}
	}
	return out
}

// outside maps a coordinate into 0..n-1; -1 is a zero.
func outside(i, n int, pad string) int {
	if i >= 0 && i < n {
		return i
	}
	switch pad {
	case PadZeros:
		return -1
	case PadBorder:
		return max(0, min(i, n-1))
	}
	if n == 1 {
		return 0
	}
	period := 2 * (n - 1)
	i = ((i % period) + period) % period
	return min(i, period-i)
}

// picture lends one of the worker's own pictures, of undefined contents. Three in turn are enough:
// no step reads further back than the one before it.
func (w *Worker) picture(width, height int) *data.Picture {
	w.turn = (w.turn + 1) % len(w.own)
	p := &w.own[w.turn]
	n := 4 * width * height
	if cap(p.Pix) < n+kernel.Pad {
		p.Pix = make([]uint8, n, n+kernel.Pad)
	}
	p.Pix, p.Width, p.Height = p.Pix[:n], width, height
	return p
}
