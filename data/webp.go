package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// decodeWebP decodes the first frame. x/image/webp would do but for two
// things: it knows no animations, and image.YCbCr reads VP8's limited-range
// BT.601 colours as if they were JPEG's.
func decodeWebP(p *Picture, b []byte, h Header, o DecodeOptions) error {
	f, err := firstFrame(b)
	if err != nil {
		return err
	}
	maxPixels := o.MaxPixels
	if maxPixels <= 0 {
		maxPixels = DefaultMaxPixels
	}
	tooLarge := func(w, ht int) error {
		if w <= 0 || ht <= 0 || w > maxPixels/ht {
			return fmt.Errorf("webp holds a frame of %dx%d pixels, more than the limit of %d", w, ht, maxPixels)
		}
		return nil
	}
	p.reset(h.Width, h.Height)
	if f.lossless {
		c, err := vp8l.DecodeConfig(bytes.NewReader(f.data))
		if err != nil {
			return goDecoderError("webp", err)
		}
		if err := tooLarge(c.Width, c.Height); err != nil {
			return err
		}
		m, err := vp8l.Decode(bytes.NewReader(f.data))
		if err != nil {
			return goDecoderError("webp", err)
		}
		return f.place(p, m)
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(f.data), len(f.data))
	fh, err := d.DecodeFrameHeader()
	if err != nil {
		return goDecoderError("webp", err)
	}
	if err := tooLarge(fh.Width, fh.Height); err != nil {
		return err
	}
	m, err := d.DecodeFrame()
	if err != nil {
		return goDecoderError("webp", err)
	}
	if f.x == 0 && f.y == 0 && fh.Width == p.Width && fh.Height == p.Height {
		yuvToRGBX(p, m)
		return nil
	}
	var part Picture
	part.reset(fh.Width, fh.Height)
	yuvToRGBX(&part, m)
	return f.place(p, &image.NRGBA{Pix: part.Pix, Stride: 4 * part.Width, Rect: image.Rect(0, 0, part.Width, part.Height)})
}

// webpFrame is the bitstream of one frame and its place on the canvas.
type webpFrame struct {
	data     []byte
	lossless bool
	x, y     int
}

// place puts the frame on the black canvas p.
func (f webpFrame) place(p *Picture, m image.Image) error {
	b := m.Bounds()
	if f.x != 0 || f.y != 0 || b.Dx() < p.Width || b.Dy() < p.Height {
		fill(p.Pix)
	}
	n, ok := m.(*image.NRGBA)
	if !ok {
		return fmt.Errorf("webp: unexpected pixels %T", m)
	}
	moved := *n
	moved.Rect = n.Rect.Add(image.Pt(f.x, f.y))
	return toRGBX(p, &moved)
}

// firstFrame finds the first VP8 or VP8L chunk, also inside an animation.
func firstFrame(b []byte) (webpFrame, error) {
	var f webpFrame
	if len(b) < 12 {
		return f, errTruncatedHeader
	}
	b = b[12:]
	for len(b) >= 8 {
		id := string(b[:4])
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		if id == "ANMF" {
			if len(b) < 16 {
				break
			}
			f.x = 2 * (int(b[0]) | int(b[1])<<8 | int(b[2])<<16)
			f.y = 2 * (int(b[3]) | int(b[4])<<8 | int(b[5])<<16)
			b = b[16:] // the frame's own chunks follow
			continue
		}
		if n > int64(len(b)) {
			return f, errors.New("truncated webp: the file ends before its picture does")
		}
		switch id {
		case "VP8 ", "VP8L":
			f.data, f.lossless = b[:n], id == "VP8L"
			return f, nil
		}
		b = b[min(n+n&1, int64(len(b))):]
	}
	return f, errors.New("truncated webp: the file ends before its picture does")
}

// yuvToRGBX converts VP8's planes as the WebP container defines them: BT.601,
// luma 16..235, chroma 16..240, in 14-bit fixed point; chroma is interpolated
// with weights 9, 3, 3, 1 between its four nearest samples.
func yuvToRGBX(p *Picture, m *image.YCbCr) {
	w, h := p.Width, p.Height
	cw, ch := (w+1)/2, (h+1)/2
	for y := range h {
		near := y / 2
		far := near + 1 // the chroma row next nearest to y
		if y%2 == 0 {
			far = near - 1
		}
		far = min(max(far, 0), ch-1)
		ub, uf := m.Cb[near*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw]
		vb, vf := m.Cr[near*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw]
		luma := m.Y[y*m.YStride:][:w]
		row := p.Pix[4*y*w:][:4*w]
		for x, l := range luma {
			i := x / 2
			j := i + 1
			if x%2 == 0 {
				j = i - 1
			}
			j = min(max(j, 0), cw-1)
			u := interpolate(ub[i], ub[j], uf[i], uf[j])
			v := interpolate(vb[i], vb[j], vf[i], vf[j])
			yy := int(l) * 19077 >> 8
			put(row, 4*x,
				clip14(yy+v*26149>>8-14234),
				clip14(yy-u*6419>>8-v*13320>>8+8708),
				clip14(yy+u*33050>>8-17685))
		}
	}
}

// interpolate weighs the four chroma samples around a pixel: a is nearest, b
// and c share a side with it, d lies across.
func interpolate(a, b, c, d uint8) int {
	return (9*int(a) + 3*int(b) + 3*int(c) + int(d) + 8) >> 4
}

// clip14 drops the six fraction bits of v and clamps it to 0..255.
func clip14(v int) uint8 {
	return uint8(min(max(v>>6, 0), 255))
}
