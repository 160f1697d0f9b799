package data

import "math"

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
			mid = &Picture{}
		}
		mid.reset(w, src.Height)
		alongRows(mid, src, triangle(src.Width, w))
		from = mid
	}
	if h != src.Height {
		dst.reset(w, h)
		alongColumns(dst, from, triangle(src.Height, h))
	}
}

// tap is the span of source positions that make one target position.
type tap struct {
	from   int
	weight []int32 // sums to about 1<<weightBits
}

const weightBits = 22

// triangle returns the taps that scale n positions to m.
func triangle(n, m int) []tap {
	scale := float64(n) / float64(m)
	support := max(scale, 1)
	taps := make([]tap, m)
	for i := range taps {
		center := (float64(i) + 0.5) * scale
		from := max(int(center-support+0.5), 0)
		to := min(int(center+support+0.5), n)
		weights := make([]float64, to-from)
		sum := 0.0
		for k := range weights {
			x := math.Abs((float64(k+from) - center + 0.5) / support)
			weights[k] = max(1-x, 0)
			sum += weights[k]
		}
		fixed := make([]int32, len(weights))
		for k, v := range weights {
			fixed[k] = int32(math.Floor(v/sum*(1<<weightBits) + 0.5))
		}
		taps[i] = tap{from, fixed}
	}
	return taps
}

const weightHalf = 1 << (weightBits - 1)

func alongRows(dst, src *Picture, taps []tap) {
	for y := range src.Height {
		row := src.Pix[4*y*src.Width:][:4*src.Width]
		out := dst.Pix[4*y*dst.Width:][:4*dst.Width]
		for x, t := range taps {
			r, g, b := int32(weightHalf), int32(weightHalf), int32(weightHalf)
			s := row[4*t.from:][:4*len(t.weight)]
			for _, k := range t.weight {
				r += k * int32(s[0])
				g += k * int32(s[1])
				b += k * int32(s[2])
				s = s[4:]
			}
			put(out, 4*x, clipWeight(r), clipWeight(g), clipWeight(b))
		}
	}
}

func alongColumns(dst, src *Picture, taps []tap) {
	n := 4 * src.Width
	sum := make([]int32, n)
	for y, t := range taps {
		for i := range sum {
			sum[i] = weightHalf
		}
		for k, v := range t.weight {
			row := src.Pix[(t.from+k)*n:][:n]
			for i, s := range row {
				sum[i] += v * int32(s)
			}
		}
		out := dst.Pix[y*n:][:n]
		for i, v := range sum {
			out[i] = clipWeight(v)
		}
		for i := 3; i < n; i += 4 {
			out[i] = 255
		}
	}
}

func clipWeight(v int32) uint8 {
	return uint8(min(max(v>>weightBits, 0), 255))
}
