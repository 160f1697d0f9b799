package planets

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// artist draws pictures one after another, keeping its memory between them. It
// serves one goroutine.
type artist struct {
	full, small, spare canvas
	out                bytes.Buffer
}

// draw returns the JPEG file of one picture, valid until the next call.
func (a *artist) draw(seed int64, p picture) ([]byte, error) {
	r := newRandom(seed, p.stream)
	w, h := size(r)
	a.full.reset(w, h)
	s := &scene{random: r, c: &a.full, truth: p.truth}
	if shrink := r.weighted(0.84, 0.12, 0.04) + 1; shrink > 1 { // a thumbnail somebody enlarged
		a.small.reset(w/shrink, h/shrink)
		s.c = &a.small
		s.paint()
		enlarge(&a.full, &a.small)
	} else {
		s.paint()
	}
	grey, err := a.finish(r, s)
	if err != nil {
		return nil, err
	}
	a.out.Reset()
	if err := encode(r, &a.out, &a.full, grey); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", Classes[p.folder], p.name, err)
	}
	return a.out.Bytes(), nil
}

// size chooses the sides in pixels, 220..640.
func size(r random) (w, h int) {
	long := r.between(260, 520)
	if r.chance(0.12) {
		long = 640
	}
	aspect := pick(r, float32(1), 1, 4.0/3, 4.0/3, 3.0/2, 16.0/9, r.between(1, 2))
	short := max(long/aspect, 220)
	if r.chance(0.22) {
		return int(short), int(long)
	}
	return int(long), int(short)
}

// finish does to the picture what cameras, editors and web sites do.
func (a *artist) finish(r random, s *scene) (grey bool, err error) {
	c := &a.full
	if !s.flat {
		if r.chance(0.15) {
			vignette(c, r.between(0.2, 0.8))
		}
		switch {
		case r.chance(0.14):
			blur(c, &a.spare, 1+r.IntN(max(1, int(c.short()/160))))
		case r.chance(0.03):
			smear(r, c, &a.spare, r.between(4, 14))
		}
	}
	grey = grade(r, c)
	if r.chance(0.22) {
		grain(r, c, r.between(0.01, 0.09), !grey && r.chance(0.6))
	}
	if r.chance(0.3) {
		if err := caption(r, c, s.truth); err != nil {
			return false, err
		}
		grey = false
	}
	if r.chance(0.07) {
		border(r, c)
		grey = false
	}
	return grey, nil
}

// border frames the picture, or leaves bars above and below.
func border(r random, c *canvas) {
	n := int(c.short() * r.between(0.01, 0.08))
	colour := pick(r, hex(0x000000), hex(0xffffff), hex(0xe0e0e0), hsv(r.Float32(), 0.6, 0.6))
	c.rect(0, 0, c.w, n, colour, 1)
	c.rect(0, c.h-n, c.w, c.h, colour, 1)
	if r.chance(0.6) {
		c.rect(0, 0, n, c.h, colour, 1)
		c.rect(c.w-n, 0, c.w, c.h, colour, 1)
	}
}

// encode writes a JPEG file; one picture of eight has been saved badly twice.
// Some grey pictures have one channel only.
func encode(r random, out *bytes.Buffer, c *canvas, grey bool) error {
	quality := pick(r, 95, 90, 90, 85, 85, 80, 75, 75, 70, 60, 50, 40, 30)
	var img image.Image
	if grey && r.chance(0.6) {
		img = greyImage(c)
	} else {
		img = colourImage(c)
	}
	if r.chance(0.12) {
		if err := jpeg.Encode(out, img, &jpeg.Options{Quality: 18 + r.IntN(30)}); err != nil {
			return err
		}
		again, err := jpeg.Decode(bytes.NewReader(out.Bytes()))
		if err != nil {
			return err
		}
		out.Reset()
		img = again
	}
	return jpeg.Encode(out, img, &jpeg.Options{Quality: quality})
}

func byteOf(x float32) uint8 { return uint8(clamp(x)*255 + 0.5) }

func greyImage(c *canvas) image.Image {
	img := image.NewGray(image.Rect(0, 0, c.w, c.h))
	for i, p := range c.pix {
		img.Pix[i] = byteOf(p.held().luma())
	}
	return img
}

// colourImage converts to JPEG's YCbCr (BT.601, full range), the colour
// averaged over 2 x 2 pixels as most encoders do.
func colourImage(c *canvas) image.Image {
	img := image.NewYCbCr(image.Rect(0, 0, c.w, c.h), image.YCbCrSubsampleRatio420)
	for y := 0; y < c.h; y += 2 {
		top, bottom := c.row(y), c.row(min(y+1, c.h-1))
		for x := 0; x < c.w; x += 2 {
			next := min(x+1, c.w-1)
			p, q, s, t := top[x].held(), top[next].held(), bottom[x].held(), bottom[next].held()
			img.Y[y*img.YStride+x] = byteOf(p.luma())
			img.Y[y*img.YStride+next] = byteOf(q.luma())
			if y+1 < c.h {
				img.Y[(y+1)*img.YStride+x] = byteOf(s.luma())
				img.Y[(y+1)*img.YStride+next] = byteOf(t.luma())
			}
			mean := p.add(q).add(s).add(t).scale(0.25)
			l := mean.luma()
			at := y/2*img.CStride + x/2
			img.Cb[at] = byteOf(0.5 + (mean.b-l)*(0.5/(1-0.114)))
			img.Cr[at] = byteOf(0.5 + (mean.r-l)*(0.5/(1-0.299)))
		}
	}
	return img
}
