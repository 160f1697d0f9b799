package planets

import (
	"math"
	"math/rand/v2"
	"sync"
)

// noiseSide is the side of the noise cube in cells, a power of two.
const noiseSide = 64

// noiseCube is fractal noise in a cube that repeats in all directions: mean 0,
// deviation 1/3, so nearly all of it lies in -1..1.
type noiseCube [noiseSide * noiseSide * noiseSide]float32

var theNoise = sync.OnceValue(func() *noiseCube {
	r := rand.New(rand.NewPCG(0x6e6f697365, 1))
	cube := new(noiseCube)
	weight := float32(1)
	for cells := 4; cells <= 32; cells *= 2 {
		cube.addOctave(r, cells, weight)
		weight *= 0.55
	}
	var sum, squares float64
	for _, v := range cube {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	mean := sum / float64(len(cube))
	scale := 1 / (3 * math.Sqrt(squares/float64(len(cube))-mean*mean))
	for i, v := range cube {
		cube[i] = float32((float64(v) - mean) * scale)
	}
	return cube
})

// addOctave adds value noise of the given number of cells a side.
func (c *noiseCube) addOctave(r *rand.Rand, cells int, weight float32) {
	lattice := make([]float32, cells*cells*cells)
	for i := range lattice {
		lattice[i] = weight * (2*r.Float32() - 1)
	}
	step := noiseSide / cells
	type tap struct {
		low, high int
		t         float32
	}
	taps := make([]tap, noiseSide)
	for i := range taps {
		t := float32(i%step) / float32(step)
		taps[i] = tap{i / step, (i/step + 1) % cells, t * t * (3 - 2*t)}
	}
	get := func(z, y, x int) float32 { return lattice[(z*cells+y)*cells+x] }
	i := 0
	for _, z := range taps {
		for _, y := range taps {
			for _, x := range taps {
				a := lerp(lerp(get(z.low, y.low, x.low), get(z.low, y.low, x.high), x.t),
					lerp(get(z.low, y.high, x.low), get(z.low, y.high, x.high), x.t), y.t)
				b := lerp(lerp(get(z.high, y.low, x.low), get(z.high, y.low, x.high), x.t),
					lerp(get(z.high, y.high, x.low), get(z.high, y.high, x.high), x.t), y.t)
				c[i] += lerp(a, b, z.t)
				i++
			}
		}
	}
}

// at interpolates the noise at a point given in cells, within +-1000 of 0.
func (c *noiseCube) at(x, y, z float32) float32 {
	const lift, mask = 1 << 10, noiseSide - 1 // a multiple of the side, to make the numbers positive
	x, y, z = x+lift, y+lift, z+lift
	ix, iy, iz := int(x), int(y), int(z)
	fx, fy, fz := x-float32(ix), y-float32(iy), z-float32(iz)
	x0, x1 := ix&mask, (ix+1)&mask
	y0, y1 := (iy&mask)*noiseSide, ((iy+1)&mask)*noiseSide
	z0, z1 := (iz&mask)*noiseSide*noiseSide, ((iz+1)&mask)*noiseSide*noiseSide
	a := c[z0+y0+x0] + (c[z0+y0+x1]-c[z0+y0+x0])*fx
	b := c[z0+y1+x0] + (c[z0+y1+x1]-c[z0+y1+x0])*fx
	d := c[z1+y0+x0] + (c[z1+y0+x1]-c[z1+y0+x0])*fx
	e := c[z1+y1+x0] + (c[z1+y1+x1]-c[z1+y1+x0])*fx
	a += (b - a) * fy
	d += (e - d) * fy
	return a + (d-a)*fz
}

// field is the noise as one picture sees it: placed, turned and stretched.
type field struct {
	cube           *noiseCube
	offset, scales vec
}

// newField returns noise of the given number of cells to a unit of length; up
// stretches the third direction's.
func newField(r random, cells, up float32) field {
	return field{theNoise(), vec{r.between(0, noiseSide), r.between(0, noiseSide), r.between(0, noiseSide)},
		vec{cells, cells, cells * up}}
}

func (f *field) at(p vec) float32 {
	return f.cube.at(p.x*f.scales.x+f.offset.x, p.y*f.scales.y+f.offset.y, p.z*f.scales.z+f.offset.z)
}
