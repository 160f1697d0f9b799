package augment

import "math"

// Matrix is a 3x3 matrix in row order. Applied to (x, y, 1) it gives homogeneous coordinates.
type Matrix [9]float64

var identity = Matrix{1, 0, 0, 0, 1, 0, 0, 0, 1}

// Mul is the product a*b: b is applied first.
func (a Matrix) Mul(b Matrix) Matrix {
	var c Matrix
	for i := range 3 {
		for j := range 3 {
			c[3*i+j] = a[3*i]*b[j] + a[3*i+1]*b[3+j] + a[3*i+2]*b[6+j]
		}
	}
	return c
}

// Apply maps a point.
func (a Matrix) Apply(x, y float64) (float64, float64) {
	d := a[6]*x + a[7]*y + a[8]
	return (a[0]*x + a[1]*y + a[2]) / d, (a[3]*x + a[4]*y + a[5]) / d
}

// Homography maps output coordinates to picture coordinates, both from -1 to 1: the product of the
// affine transforms in the list's order (fastai's F*R*Z), then the warp.
func (p *Pipeline) Homography(prm Params) Matrix {
	m := identity
	for _, t := range p.affine {
		m = m.Mul(prm.affine(t))
	}
	return prm.warp().Mul(m)
}

// The signs and places of fastai's eight symmetries: [[xs*m0, xs*m1], [ys*m1, ys*m0]].
var dihedral = [4][8]float64{
	{1, -1, 1, -1, -1, 1, 1, -1}, // xs
	{1, 1, -1, 1, -1, -1, 1, -1}, // ys
	{1, 1, 1, 0, 1, 0, 0, 0},     // m0
	{0, 0, 0, 1, 0, 1, 1, 1},     // m1
}

// affine is the matrix of one affine transform for a square picture.
func (p Params) affine(t Transform) Matrix {
	switch t.(type) {
	case Flip, AlternatingFlip:
		if p.Flip {
			return Matrix{-1, 0, 0, 0, 1, 0, 0, 0, 1}
		}
	case Shift:
		return Matrix{1, 0, p.ShiftX, 0, 1, p.ShiftY, 0, 0, 1}
	case Dihedral:
		k := p.Dihedral
		xs, ys, m0, m1 := dihedral[0][k], dihedral[1][k], dihedral[2][k], dihedral[3][k]
		return Matrix{xs * m0, xs * m1, 0, ys * m1, ys * m0, 0, 0, 0, 1}
	case Rotate:
		sin, cos := math.Sincos(p.Rotate * math.Pi / 180)
		return Matrix{cos, sin, 0, -sin, cos, 0, 0, 0, 1}
	case Zoom:
		s := 1 / p.Zoom
		return Matrix{s, 0, (1 - s) * (2*p.CenterX - 1), 0, s, (1 - s) * (2*p.CenterY - 1), 0, 0, 1}
	}
	return identity
}

// warp is fastai's perspective change: the homography that takes (-1-y, -1-x) to (-1, -1),
// (-1+y, 1+x) to (-1, 1), (1+y, -1+x) to (1, -1) and (1-y, 1-x) to (1, 1), where x is WarpX and y
// is WarpY.
func (p Params) warp() Matrix {
	if p.WarpX == 0 && p.WarpY == 0 {
		return identity
	}
	x, y := p.WarpX, p.WarpY
	to := [4][2]float64{{-1, -1}, {-1, 1}, {1, -1}, {1, 1}}
	from := [4][2]float64{{-1 - y, -1 - x}, {-1 + y, 1 + x}, {1 + y, -1 + x}, {1 - y, 1 - x}}
	var rows [8][9]float64
	for i := range 4 {
		u, v, a, b := from[i][0], from[i][1], to[i][0], to[i][1]
		rows[2*i] = [9]float64{u, v, 1, 0, 0, 0, -a * u, -a * v, a}
		rows[2*i+1] = [9]float64{0, 0, 0, u, v, 1, -b * u, -b * v, b}
	}
	h := solve(rows)
	return Matrix{h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], 1}
}

// solve is Gauss-Jordan elimination with pivoting on the largest element of the column; the last
// column holds the right-hand side.
func solve(a [8][9]float64) [8]float64 {
	for c := range 8 {
		best := c
		for r := c + 1; r < 8; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[best][c]) {
				best = r
			}
		}
		a[c], a[best] = a[best], a[c]
		for r := range 8 {
			if r == c {
				continue
			}
			f := a[r][c] / a[c][c]
			for k := c; k < 9; k++ {
				a[r][k] -= f * a[c][k]
			}
		}
	}
	var x [8]float64
	for i := range x {
		x[i] = a[i][8] / a[i][i]
	}
	return x
}
