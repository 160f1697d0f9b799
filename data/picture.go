package data

import "fmt"

// Picture is a decoded picture, upright unless the options said otherwise.
type Picture struct {
	Width, Height int

	// Pix holds 4 bytes a pixel, R, G, B, 255, rows from the top of 4*Width
	// bytes without gaps: len(Pix) = 4*Width*Height. At least Padding bytes
	// after the last pixel belong to the same allocation, so that kernels may
	// load wide; cap(Pix) counts them.
	Pix []uint8

	room *room // of a picture that others are decoded into again and again
}

// room is memory that decoding one picture after the other needs in between; without it, each makes its own, and the
// collector is kept busy.
type room struct {
	file []byte
	full Picture // before it is scaled
}

// Padding is the number of readable bytes after the last pixel of a Picture.
const Padding = 64

// bytesOf returns the memory a picture of w x h pixels takes with its padding.
func bytesOf(w, h int) int { return 4*w*h + Padding }

// reset gives p the size w x h, reusing its memory where that suffices. The
// contents are undefined.
func (p *Picture) reset(w, h int) {
	p.grow(bytesOf(w, h))
	p.Width, p.Height = w, h
	p.Pix = p.Pix[: 4*w*h : cap(p.Pix)]
}

// grow makes room for n bytes.
func (p *Picture) grow(n int) {
	if cap(p.Pix) < n {
		p.Pix = make([]uint8, n)
	}
	p.Pix = p.Pix[:n]
}

// Scaled returns the picture with its short side scaled to that many pixels, as
// DecodeOptions.ShortSide does; itself where that is no smaller, or 0.
func (p *Picture) Scaled(short int) (*Picture, error) {
	w, h := shortSide(p.Width, p.Height, short)
	if w == p.Width && h == p.Height {
		return p, nil
	}
	scaled := &Picture{}
	return scaled, resize(scaled, p, w, h, true)
}

// String says "384x512".
func (p *Picture) String() string { return fmt.Sprintf("%dx%d", p.Width, p.Height) }
