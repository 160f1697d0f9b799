package picture

import (
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/bits"
)

const (
	miniSide = 32 // cells on a side of a Mini
	samples  = 12 // points looked at on a side of a cell
)

// Mini is a picture in 32 x 32 cells of red, green and blue from 0 to 255, whatever its shape was.
type Mini [miniSide * miniSide * 3]uint8

// NewMini reduces a picture. It looks at 144 points of each cell, which costs the same for any size of picture.
func NewMini(picture image.Image) (mini *Mini, err error) {
	defer recovered(&err)
	mini = new(Mini)
	sample, colour := sampler(picture)
	bounds := picture.Bounds()
	const steps = miniSide * samples
	var columns [steps]int
	for i := range columns {
		columns[i] = bounds.Min.X + (2*i+1)*bounds.Dx()/(2*steps)
	}
	for cellY := range miniSide {
		var sums [miniSide][3]int
		for y := range samples {
			row := bounds.Min.Y + (2*(cellY*samples+y)+1)*bounds.Dy()/(2*steps)
			for i, column := range columns {
				a, b, c := sample(column, row)
				sum := &sums[i/samples]
				sum[0], sum[1], sum[2] = sum[0]+int(a), sum[1]+int(b), sum[2]+int(c)
			}
		}
		for cellX, sum := range sums {
			const n = samples * samples
			cell := mini[(cellY*miniSide+cellX)*3:]
			cell[0], cell[1], cell[2] = colour(uint8(sum[0]/n), uint8(sum[1]/n), uint8(sum[2]/n))
		}
	}
	return mini, nil
}

// sampler returns a function for three components of a pixel, in whatever colours the picture keeps, and one that turns an average of
// them into red, green and blue: that way the pixels of a JPEG are not converted one by one.
func sampler(picture image.Image) (sample func(x, y int) (a, b, c uint8), colour func(a, b, c uint8) (red, green, blue uint8)) {
	same := func(a, b, c uint8) (uint8, uint8, uint8) { return a, b, c }
	switch p := picture.(type) {
	case *image.YCbCr:
		return func(x, y int) (uint8, uint8, uint8) {
			at := p.COffset(x, y)
			return p.Y[p.YOffset(x, y)], p.Cb[at], p.Cr[at]
		}, color.YCbCrToRGB
	case *image.NRGBA: // transparent pixels count as the colour they hide, as most viewers and trainers take them
		return func(x, y int) (uint8, uint8, uint8) {
			at := p.PixOffset(x, y)
			return p.Pix[at], p.Pix[at+1], p.Pix[at+2]
		}, same
	case *image.Gray:
		return func(x, y int) (uint8, uint8, uint8) {
			grey := p.Pix[p.PixOffset(x, y)]
			return grey, grey, grey
		}, same
	}
	return func(x, y int) (uint8, uint8, uint8) {
		r, g, b, _ := picture.At(x, y).RGBA()
		return uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)
	}, same
}

// grey returns the luma of a cell (ITU-R BT.601), times 1000.
func (m *Mini) grey(x, y int) int {
	cell := m[(y*miniSide+x)*3:]
	return 299*int(cell[0]) + 587*int(cell[1]) + 114*int(cell[2])
}

// Difference is the mean absolute difference of two pictures' cells, 0 to 255.
func (m *Mini) Difference(other *Mini) float64 {
	sum := 0
	for i := range m {
		d := int(m[i]) - int(other[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(len(m))
}

// Hash is a difference hash (dHash) of 128 bits: for an 8 x 8 raster, whether each place is clearly brighter than its right neighbour,
// and than its lower one. It stays nearly the same when a picture is scaled, compressed again or made lighter.
type Hash [2]uint64

// clearly is by how much a place must be brighter, of 255, so that the noise of compression in even areas sets no bit.
const clearly = 2

// Hash returns the picture's difference hash.
func (m *Mini) Hash() Hash {
	var hash Hash
	for direction, shape := range [2][2]int{{9, 8}, {8, 9}} {
		raster := m.raster(shape[0], shape[1])
		for y := range 8 {
			for x := range 8 {
				here, there := raster[y*shape[0]+x], 0
				if direction == 0 {
					there = raster[y*shape[0]+x+1]
				} else {
					there = raster[(y+1)*shape[0]+x]
				}
				if here > there+clearly*1000 {
					hash[direction] |= 1 << (y*8 + x)
				}
			}
		}
	}
	return hash
}

// raster averages grey cells into width x height places; a cell on a border counts to each side by its share.
func (m *Mini) raster(width, height int) []int {
	across, down := shares(width), shares(height)
	raster := make([]int, width*height)
	for y := range height {
		for x := range width {
			sum, weight := 0, 0
			for _, v := range down[y] {
				for _, h := range across[x] {
					sum += m.grey(h.cell, v.cell) * h.weight * v.weight
					weight += h.weight * v.weight
				}
			}
			raster[y*width+x] = sum / weight
		}
	}
	return raster
}

type share struct{ cell, weight int }

// shares says which cells of a row of miniSide fall into each of n places, and with what weight (out of n).
func shares(n int) [][]share {
	places := make([][]share, n)
	for cell := range miniSide {
		begin, end := cell*n, (cell+1)*n // in units where a place is miniSide long
		for place := begin / miniSide; place <= (end-1)/miniSide; place++ {
			weight := min(end, (place+1)*miniSide) - max(begin, place*miniSide)
			places[place] = append(places[place], share{cell, weight})
		}
	}
	return places
}

// Distance counts the bits two hashes differ in, 0 to 128.
func (h Hash) Distance(other Hash) int {
	return bits.OnesCount64(h[0]^other[0]) + bits.OnesCount64(h[1]^other[1])
}

// String returns 32 hexadecimal digits.
func (h Hash) String() string { return fmt.Sprintf("%016x%016x", h[0], h[1]) }

// ParseHash reads what String wrote.
func ParseHash(text string) (Hash, error) {
	var hash Hash
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 16 {
		return hash, fmt.Errorf("%q is not a difference hash of 32 hexadecimal digits", text)
	}
	for i, b := range raw {
		hash[i/8] = hash[i/8]<<8 | uint64(b)
	}
	return hash, nil
}

// Two pictures are near duplicates when their hashes are near and, since a hash knows no colours and little of dark or even pictures,
// when their cells are near too, by their contrast. Photos halved, scaled to 200 pixels or compressed to JPEG quality 30 stay within
// 9 bits and 2.3 levels, and frames of a turning globe on black (2 to 5 bits, 1.3 to 6 levels) mostly do not count: see TestAlikeOnPhotos.
const (
	NearDistance  = 10
	nearLevels    = 1.5  // mean absolute difference of cells that any two may have
	nearContrast  = 0.05 // or as a part of the standard deviation of the cells' luma
	nearestLevels = 4.0  // and no more than this
)

// Near tells whether two pictures whose hashes are within NearDistance are the same but for scale and compression.
func Near(a, b *Mini) bool {
	return a.Difference(b) <= min(nearestLevels, max(nearLevels, nearContrast*min(a.contrast(), b.contrast())))
}

// contrast is the standard deviation of the cells' luma.
func (m *Mini) contrast() float64 {
	var sum, squares float64
	for y := range miniSide {
		for x := range miniSide {
			luma := float64(m.grey(x, y)) / 1000
			sum, squares = sum+luma, squares+luma*luma
		}
	}
	mean := sum / (miniSide * miniSide)
	return math.Sqrt(max(0, squares/(miniSide*miniSide)-mean*mean))
}
