package data

import (
	"math"
	"sync"

	"github.com/wangkuiyi/orrery/data/internal/scale"
)

// Resize scales src to w x h pixels into dst, whose memory is reused where it
// suffices. The filter is a triangle over the source, widened when shrinking
// (bilinear, antialiased), in Pillow's 8-bit arithmetic: first along the rows,
// rounded to 8 bits, then along the columns, weights in 22-bit fixed point.
// dst and src must differ.
func Resize(dst, src *Picture, w, h int) {
	if w == src.Width && h == src.Height {
		dst.reset(w, h)
		copy(dst.Pix, src.Pix)
		return
	}
	from := src
	if w != src.Width {
		mid := dst
		if h != src.Height {
			mid = middle.Get().(*Picture)
			defer middle.Put(mid)
		}
		mid.reset(w, src.Height)
		scale.Rows(mid.Pix, src.Pix, src.Width, src.Height, triangle(src.Width, w))
		from = mid
	}
	if h != src.Height {
		dst.reset(w, h)
		scale.Columns(dst.Pix, from.Pix, w, triangle(src.Height, h))
	}
}

// middle keeps pictures that are needed for the length of a call.
var middle = sync.Pool{New: func() any { return &Picture{} }}

// shortSide scales w x h so that the shorter becomes short; smaller pictures
// and short 0 leave them.
func shortSide(w, h, short int) (int, int) {
	m := min(w, h)
	if short <= 0 || m <= short {
		return w, h
	}
	scale := func(v int) int { return max((v*short+m/2)/m, 1) }
	return scale(w), scale(h)
}

// scaledTo makes a picture in p by decode and scales it to the short side.
func scaledTo(p *Picture, short int, decode func(*Picture) error) error {
	if short <= 0 {
		return decode(p)
	}
	full := middle.Get().(*Picture)
	defer middle.Put(full)
	if err := decode(full); err != nil {
		return err
	}
	if w, h := shortSide(full.Width, full.Height, short); w != full.Width || h != full.Height {
		Resize(p, full, w, h)
		return nil
	}
	*p, *full = *full, *p
	return nil
}

// triangle returns the taps that scale n positions to m.
func triangle(n, m int) scale.Taps {
	ratio := float64(n) / float64(m)
	support := max(ratio, 1)
	stride := 2*int(math.Ceil(support)) + 1
	t := scale.Taps{From: make([]int32, m), Count: make([]int32, m), Weight: make([]int32, m*stride), Stride: stride}
	weights := make([]float64, stride)
	for i := range m {
		center := (float64(i) + 0.5) * ratio
		from := max(int(center-support+0.5), 0)
		to := min(int(center+support+0.5), n)
		sum := 0.0
		for k := range to - from {
			x := math.Abs((float64(k+from) - center + 0.5) / support)
			weights[k] = max(1-x, 0)
			sum += weights[k]
		}
		for k := range to - from {
			t.Weight[i*stride+k] = int32(math.Floor(weights[k]/sum*(1<<scale.WeightBits) + 0.5))
		}
		t.From[i], t.Count[i] = int32(from), int32(to-from)
	}
	return t
}
