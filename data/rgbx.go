package data

import (
	"errors"
	"image"
	"image/color"
	"io"
)

var (
	errEOF           = io.EOF
	errUnexpectedEOF = io.ErrUnexpectedEOF
)

// atOrigin marks an image whose upper left corner belongs at 0,0 wherever its
// bounds say it lies.
type atOrigin struct{ image.Image }

// toRGBX writes m into p, whose size is set, dropping alpha. Pixels of m
// outside p are left out.
func toRGBX(p *Picture, m image.Image) error {
	var dx, dy int
	if a, ok := m.(atOrigin); ok {
		m = a.Image
		dx, dy = m.Bounds().Min.X, m.Bounds().Min.Y
	}
	b := m.Bounds().Intersect(image.Rect(dx, dy, dx+p.Width, dy+p.Height))
	if b.Empty() {
		return errors.New("its frame lies outside its screen")
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		at := 4 * ((y-dy)*p.Width + b.Min.X - dx)
		row := p.Pix[at : at+4*b.Dx()]
		rowRGBX(row, m, b.Min.X, y)
	}
	return nil
}

// rowRGBX writes the pixels of m from x, y to the right into row.
func rowRGBX(row []uint8, m image.Image, x, y int) {
	n := len(row)
	switch m := m.(type) {
	case *image.Gray:
		for i, v := range m.Pix[m.PixOffset(x, y):][:n/4] {
			put(row, 4*i, v, v, v)
		}
	case *image.Gray16:
		s := m.Pix[m.PixOffset(x, y):]
		for i := 0; i < n; i += 4 {
			v := s[i/2]
			put(row, i, v, v, v)
		}
	case *image.Paletted:
		pal := palette(m.Palette)
		for i, v := range m.Pix[m.PixOffset(x, y):][:n/4] {
			c := pal[v]
			put(row, 4*i, c[0], c[1], c[2])
		}
	case *image.NRGBA:
		s := m.Pix[m.PixOffset(x, y):][:n]
		for i := 0; i < n; i += 4 {
			put(row, i, s[i], s[i+1], s[i+2])
		}
	case *image.RGBA: // 8-bit PNG and BMP without alpha
		s := m.Pix[m.PixOffset(x, y):][:n]
		for i := 0; i < n; i += 4 {
			if s[i+3] == 255 {
				put(row, i, s[i], s[i+1], s[i+2])
				continue
			}
			c := color.NRGBAModel.Convert(m.RGBAAt(x+i/4, y)).(color.NRGBA)
			put(row, i, c.R, c.G, c.B)
		}
	case *image.NRGBA64:
		s := m.Pix[m.PixOffset(x, y):][:2*n]
		for i := 0; i < n; i += 4 {
			put(row, i, s[2*i], s[2*i+2], s[2*i+4])
		}
	case *image.RGBA64: // 16-bit PNG without alpha
		s := m.Pix[m.PixOffset(x, y):][:2*n]
		for i := 0; i < n; i += 4 {
			if a := s[2*i+6]; a == 255 {
				put(row, i, s[2*i], s[2*i+2], s[2*i+4])
				continue
			}
			c := color.NRGBAModel.Convert(m.RGBA64At(x+i/4, y)).(color.NRGBA)
			put(row, i, c.R, c.G, c.B)
		}
	default:
		for i := 0; i < n; i += 4 {
			c := color.NRGBAModel.Convert(m.At(x+i/4, y)).(color.NRGBA)
			put(row, i, c.R, c.G, c.B)
		}
	}
}

func put(row []uint8, i int, r, g, b uint8) {
	q := row[i : i+4 : i+4]
	q[0], q[1], q[2], q[3] = r, g, b, 255
}

// palette returns the colours without their alpha; indices a damaged file
// uses beyond its palette are black.
func palette(p color.Palette) *[256][3]uint8 {
	var t [256][3]uint8
	for i, c := range p {
		if i > 255 {
			break
		}
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		t[i] = [3]uint8{n.R, n.G, n.B}
	}
	return &t
}
