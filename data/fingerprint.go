package data

import (
	"math/bits"
	"slices"
)

// Fingerprint is a picture reduced to what survives scaling, recompression
// and slight changes of tone.
type Fingerprint struct {
	// Hash is the difference hash (dHash) of 16 x 16 cells: a bit is set where
	// the right one of two neighbouring cells is brighter, by more than noise.
	Hash [4]uint64

	tones [hashRows * hashColumns]uint8 // mean luma of the cells
	hues  [hueCells * hueCells * 3]uint8
}

const (
	hashRows    = 16
	hashColumns = 17
	hueCells    = 4
	noise       = 2 // of 255: smaller steps between cells count as none
)

// NewFingerprint computes the fingerprint of p.
func NewFingerprint(p *Picture) Fingerprint {
	var f Fingerprint
	for row := range hashRows {
		for col := range hashColumns {
			r, g, b := cell(p, col, row, hashColumns, hashRows)
			f.tones[row*hashColumns+col] = uint8((299*r + 587*g + 114*b + 500) / 1000)
		}
		for col := range hashColumns - 1 {
			at := row*hashColumns + col
			if int(f.tones[at+1]) > int(f.tones[at])+noise {
				bit := row*(hashColumns-1) + col
				f.Hash[bit/64] |= 1 << (bit % 64)
			}
		}
	}
	for row := range hueCells {
		for col := range hueCells {
			r, g, b := cell(p, col, row, hueCells, hueCells)
			copy(f.hues[3*(row*hueCells+col):], []uint8{uint8(r), uint8(g), uint8(b)})
		}
	}
	return f
}

// cell returns the mean colour of one cell of a grid over p. Of large cells it
// looks at a grid of points.
func cell(p *Picture, col, row, cols, rows int) (r, g, b int) {
	x0, x1 := col*p.Width/cols, (col+1)*p.Width/cols
	y0, y1 := row*p.Height/rows, (row+1)*p.Height/rows
	x1, y1 = max(x1, x0+1), max(y1, y0+1)
	dx, dy := max((x1-x0)/16, 1), max((y1-y0)/16, 1)
	n := 0
	for y := y0; y < y1; y += dy {
		line := p.Pix[4*y*p.Width:]
		for x := x0; x < x1; x += dx {
			q := line[4*x : 4*x+3]
			r, g, b = r+int(q[0]), g+int(q[1]), b+int(q[2])
			n++
		}
	}
	return (r + n/2) / n, (g + n/2) / n, (b + n/2) / n
}

// Distance returns the number of bits, 0 to 256, in which the hashes differ.
func (f *Fingerprint) Distance(g *Fingerprint) int {
	n := 0
	for i := range f.Hash {
		n += bits.OnesCount64(f.Hash[i] ^ g.Hash[i])
	}
	return n
}

// alike compares tones and hues, which tells apart pictures whose hashes say
// little: dark ones, plain ones, and one picture in two colours. A picture of
// little contrast, a small planet in the dark, must agree more closely.
func (f *Fingerprint) alike(g *Fingerprint) bool {
	const hue = 24 // difference of a cell allowed, of 255
	for i := range f.hues {
		if abs8(f.hues[i], g.hues[i]) > hue {
			return false
		}
	}
	sum := 0
	for i := range f.tones {
		sum += abs8(f.tones[i], g.tones[i])
	}
	tone := min(max(min(f.contrast(), g.contrast())/4, 2*len(f.tones)), 8*len(f.tones))
	return sum <= tone
}

// contrast is the sum of the differences of the cells from their mean.
func (f *Fingerprint) contrast() int {
	mean := 0
	for _, v := range f.tones {
		mean += int(v)
	}
	mean /= len(f.tones)
	sum := 0
	for _, v := range f.tones {
		sum += abs8(v, uint8(mean))
	}
	return sum
}

func abs8(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

// NearPair is two pictures that look alike.
type NearPair struct{ A, B, Distance int }

// NearPairs finds all pairs, A < B, whose hashes differ in at most limit bits
// and whose tones are alike. It cuts the hash into limit+1 bands: two hashes
// that near agree in one of them, so that only pictures which share a band are
// compared.
func NearPairs(f []Fingerprint, limit int) []NearPair {
	limit = min(max(limit, 0), 63)
	bands := limit + 1
	var pairs []NearPair
	seen := map[[2]int32]bool{}
	for band := range bands {
		from, to := band*256/bands, (band+1)*256/bands
		buckets := map[[4]uint64][]int32{}
		for i := range f {
			k := cut(f[i].Hash, from, to)
			buckets[k] = append(buckets[k], int32(i))
		}
		for _, b := range buckets {
			for x, i := range b {
				for _, j := range b[x+1:] {
					d := f[i].Distance(&f[j])
					if d > limit || !f[i].alike(&f[j]) || seen[[2]int32{i, j}] {
						continue
					}
					seen[[2]int32{i, j}] = true
					pairs = append(pairs, NearPair{int(i), int(j), d})
				}
			}
		}
	}
	slices.SortFunc(pairs, func(a, b NearPair) int {
		if a.A != b.A {
			return a.A - b.A
		}
		return a.B - b.B
	})
	return pairs
}

// cut keeps the bits from..to-1 of h.
func cut(h [4]uint64, from, to int) [4]uint64 {
	for i := range h {
		lo, hi := max(from-64*i, 0), min(to-64*i, 64)
		if hi <= lo {
			h[i] = 0
			continue
		}
		h[i] = h[i] >> lo << lo
		if hi < 64 {
			h[i] &= 1<<hi - 1
		}
	}
	return h
}
