package augment

import "math"

// lit reports whether fastai does the transform on logits.
func lit(t Transform) bool {
	switch t.(type) {
	case Brightness, Contrast, Saturation:
		return true
	}
	return false
}

// lighting is a run of Brightness and Contrast as (l + offset) * gain on a logit l.
func lighting(run []Transform, prm Params) (offset, gain float64) {
	gain = 1
	for _, t := range run {
		switch t.(type) {
		case Brightness:
			if prm.Brightness != 0.5 {
				offset += logit(prm.Brightness) / gain
			}
		case Contrast:
			gain *= prm.Contrast
		}
	}
	return offset, gain
}

// luma are the weights of the ITU-R 601-2 grey, as fastai and torchvision round them.
var luma = [3]float32{0.2989, 0.5870, 0.1140}

// light runs Brightness, Contrast and Saturation over planes of values in [0, 1]: to logits,
// clamped as fastai clamps them, through the transforms in order, and back.
func (w *Worker) light(planes []float32, run []Transform, prm Params) {
	neutral := true
	for _, t := range run {
		switch t.(type) {
		case Brightness:
			neutral = neutral && prm.Brightness == 0.5
		case Contrast:
			neutral = neutral && prm.Contrast == 1
		case Saturation:
			neutral = neutral && prm.Saturation == 1
		}
	}
	if neutral {
		return
	}
	w.k.Logit(planes)
	n := len(planes) / 3
	for _, t := range run {
		switch t.(type) {
		case Brightness:
			add := float32(logit(prm.Brightness))
			for i := range planes {
				planes[i] += add
			}
		case Contrast:
			times := float32(prm.Contrast)
			for i := range planes {
				planes[i] *= times
			}
		case Saturation:
			keep := float32(prm.Saturation)
			r, g, b := planes[:n], planes[n:2*n], planes[2*n:3*n]
			for i := range r {
				grey := (luma[0]*r[i] + luma[1]*g[i] + luma[2]*b[i]) * (1 - keep)
				r[i], g[i], b[i] = r[i]*keep+grey, g[i]*keep+grey, b[i]*keep+grey
			}
		}
	}
	w.k.Sigmoid(planes)
}

// recolour runs Hue, Grayscale or Blur over size x size planes; spare is as large.
func recolour(planes, spare []float32, size int, t Transform, prm Params) {
	n := size * size
	switch t := t.(type) {
	case Hue:
		if prm.Hue == 0 {
			return
		}
		turn := float32(prm.Hue)
		for i := range n {
			h, s, v := toHSV(planes[i], planes[n+i], planes[2*n+i])
			h += turn
			h -= float32(math.Floor(float64(h)))
			planes[i], planes[n+i], planes[2*n+i] = fromHSV(h, s, v)
		}
	case Grayscale:
		if !prm.Gray {
			return
		}
		for i := range n {
			g := luma[0]*planes[i] + luma[1]*planes[n+i] + luma[2]*planes[2*n+i]
			planes[i], planes[n+i], planes[2*n+i] = g, g, g
		}
	case Blur:
		if prm.Sigma > 0 {
			blur(planes, spare, size, gaussian(t.Kernel, prm.Sigma))
		}
	}
}

// toHSV gives the hue in turns, the saturation and the value of a colour in [0, 1].
func toHSV(r, g, b float32) (h, s, v float32) {
	most, least := max(r, g, b), min(r, g, b)
	if most == least {
		return 0, 0, most
	}
	span := most - least
	rc, gc, bc := (most-r)/span, (most-g)/span, (most-b)/span
	switch most {
	case r:
		h = bc - gc
	case g:
		h = 2 + rc - bc
	default:
		h = 4 + gc - rc
	}
	h = h/6 + 1
	return h - float32(math.Floor(float64(h))), span / most, most
}

func fromHSV(h, s, v float32) (r, g, b float32) {
	sector := float32(math.Floor(float64(h * 6)))
	f := h*6 - sector
	clamp := func(x float32) float32 { return min(max(x, 0), 1) }
	p, q, t := clamp(v*(1-s)), clamp(v*(1-s*f)), clamp(v*(1-s*(1-f)))
	switch ((int(sector) % 6) + 6) % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}

// gaussian is a normalised kernel of n weights.
func gaussian(n int, sigma float64) []float32 {
	w := make([]float64, n)
	var sum float64
	for i := range w {
		d := (float64(i) - float64(n-1)/2) / sigma
		w[i] = math.Exp(-d * d / 2)
		sum += w[i]
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(w[i] / sum)
	}
	return out
}

// blur convolves each plane with the kernel along both axes, reflecting at the borders.
func blur(planes, spare []float32, size int, w []float32) {
	half := len(w) / 2
	at := make([]int, size+2*half)
	for i := range at {
		at[i] = outside(i-half, size, PadReflection)
	}
	for row := range 3 * size {
		from, to := planes[row*size:(row+1)*size], spare[row*size:(row+1)*size]
		for x := range to {
			var sum float32
			for k, v := range w {
				sum += v * from[at[x+k]]
			}
			to[x] = sum
		}
	}
	for c := range 3 {
		for y := range size {
			to := planes[(c*size+y)*size : (c*size+y+1)*size]
			clear(to)
			for k, v := range w {
				from := spare[(c*size+at[y+k])*size:]
				for x := range to {
					to[x] += v * from[x]
				}
			}
		}
	}
}
