package augment

import (
	"image"
	"math"
)

// Mix tells how MixUp or CutMix blended a batch: the loss of sample i is
// Weight[i]*loss(own label) + (1-Weight[i])*loss(Labels[i]).
type Mix struct {
	Labels []int64   // of the partners
	Weight []float32 // of the own label, [N], 0 to 1
}

// mixture is what is drawn for one batch.
type mixture struct {
	partner []int     // a permutation of the batch
	weight  []float32 // of the own sample
	box     image.Rectangle
	cut     bool // CutMix: box comes from the partner
}

// mixture draws a batch's mixing; nil for a pipeline without.
func (d drawer) mixture(t Transform, n, size int) *mixture {
	switch t := t.(type) {
	case MixUp:
		m := &mixture{weight: make([]float32, n)}
		for i := range m.weight {
			w := d.beta(t.Alpha)
			m.weight[i] = float32(max(w, 1-w))
		}
		m.partner = d.Perm(n)
		return m
	case CutMix:
		m := &mixture{cut: true, weight: make([]float32, n)}
		lambda := d.beta(t.Alpha)
		m.partner = d.Perm(n)
		var own float32
		m.box, own = cutBox(size, lambda, d.IntN(size), d.IntN(size))
		for i := range m.weight {
			m.weight[i] = own
		}
		return m
	}
	return nil
}

// cutBox is fastai's rand_bbox in a square, about (x, y), and the share that is left.
func cutBox(size int, lambda float64, x, y int) (image.Rectangle, float32) {
	half := int(math.RoundToEven(float64(float32(size)*float32(math.Sqrt(float64(float32(1-lambda))))))) / 2
	r := image.Rect(max(x-half, 0), max(y-half, 0), min(x+half, size), min(y+half, size))
	return r, 1 - float32(r.Dx()*r.Dy())/float32(size*size)
}

// apply blends the samples in place. A sample still to be read as a partner is never overwritten:
// the permutation is followed cycle by cycle, and the first sample of a cycle is kept aside.
func (m *mixture) apply(images []float32, size int, layout Layout) {
	n := len(m.partner)
	each := len(images) / n
	at := func(i int) []float32 { return images[i*each : (i+1)*each] }
	first := make([]float32, each)
	done := make([]bool, n)
	for start := range n {
		if done[start] {
			continue
		}
		copy(first, at(start))
		for i := start; !done[i]; i = m.partner[i] {
			done[i] = true
			from := at(m.partner[i])
			if m.partner[i] == start {
				from = first
			}
			if m.cut {
				paste(at(i), from, m.box, size, layout)
			} else {
				lerp(at(i), from, m.weight[i])
			}
		}
	}
}

// lerp is from + w*(to-from), in to.
func lerp(to, from []float32, w float32) {
	for i, v := range from {
		to[i] = v + w*(to[i]-v)
	}
}

func paste(to, from []float32, r image.Rectangle, size int, layout Layout) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		if layout == NHWC {
			a, b := 3*(y*size+r.Min.X), 3*(y*size+r.Max.X)
			copy(to[a:b], from[a:b])
			continue
		}
		for c := range 3 {
			a, b := (c*size+y)*size+r.Min.X, (c*size+y)*size+r.Max.X
			copy(to[a:b], from[a:b])
		}
	}
}

// beta draws from Beta(alpha, alpha) as a ratio of two gamma variables.
func (d drawer) beta(alpha float64) float64 {
	for {
		a, b := d.logGamma(alpha), d.logGamma(alpha)
		// In logarithms: with a small alpha both variables underflow.
		most := max(a, b)
		x, y := math.Exp(a-most), math.Exp(b-most)
		if v := x / (x + y); !math.IsNaN(v) {
			return v
		}
	}
}

// logGamma draws the logarithm of a Gamma(shape, 1) variable by Marsaglia and Tsang's method; below
// 1 the shape is raised by one and the result multiplied by U^(1/shape).
func (d drawer) logGamma(shape float64) float64 {
	boost := 0.0
	if shape < 1 {
		boost = math.Log(1-d.Float64()) / shape
		shape++
	}
	k := shape - 1.0/3
	c := 1 / math.Sqrt(9*k)
	for {
		x := d.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-d.Float64()) < x*x/2+k-k*v+k*math.Log(v) {
			return math.Log(k*v) + boost
		}
	}
}
