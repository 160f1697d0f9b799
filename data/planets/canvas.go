package planets

// canvas is a picture being drawn: rows of pixels from the top.
type canvas struct {
	w, h int
	pix  []rgb
}

// reset makes it w x h, keeping its memory; what it shows is undefined.
func (c *canvas) reset(w, h int) {
	c.w, c.h = w, h
	if cap(c.pix) < w*h {
		c.pix = make([]rgb, w*h)
	}
	c.pix = c.pix[:w*h]
}

func (c *canvas) row(y int) []rgb { return c.pix[y*c.w : (y+1)*c.w] }

func (c *canvas) fill(colour rgb) {
	for i := range c.pix {
		c.pix[i] = colour
	}
}

// short is the shorter side in pixels.
func (c *canvas) short() float32 { return float32(min(c.w, c.h)) }

// box clips a square about a point to the canvas: x0 <= x < x1, y0 <= y < y1.
func (c *canvas) box(cx, cy, reach float32) (x0, y0, x1, y1 int) {
	return max(int(cx-reach), 0), max(int(cy-reach), 0), min(int(cx+reach)+1, c.w), min(int(cy+reach)+1, c.h)
}

// blend lays a colour over one pixel, if it is on the canvas.
func (c *canvas) blend(x, y int, colour rgb, alpha float32) {
	if uint(x) < uint(c.w) && uint(y) < uint(c.h) {
		p := &c.pix[y*c.w+x]
		*p = p.mix(colour, alpha)
	}
}

// rect fills a rectangle.
func (c *canvas) rect(x0, y0, x1, y1 int, colour rgb, alpha float32) {
	for y := max(y0, 0); y < min(y1, c.h); y++ {
		for x := max(x0, 0); x < min(x1, c.w); x++ {
			c.pix[y*c.w+x] = c.pix[y*c.w+x].mix(colour, alpha)
		}
	}
}

// line draws a line of the given width.
func (c *canvas) line(ax, ay, bx, by, width float32, colour rgb, alpha float32) {
	dx, dy := bx-ax, by-ay
	along := max(dx*dx+dy*dy, 1e-6)
	x0, x1 := max(int(min(ax, bx)-width-1), 0), min(int(max(ax, bx)+width+2), c.w)
	y0, y1 := max(int(min(ay, by)-width-1), 0), min(int(max(ay, by)+width+2), c.h)
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			px, py := float32(x)+0.5-ax, float32(y)+0.5-ay
			t := clamp((px*dx + py*dy) / along)
			ex, ey := px-t*dx, py-t*dy
			if cover := clamp(width/2 + 0.5 - sqrt(ex*ex+ey*ey)); cover > 0 {
				c.blend(x, y, colour, alpha*cover)
			}
		}
	}
}

// ellipse draws the outline of an ellipse turned by roll.
func (c *canvas) ellipse(cx, cy, a, b, roll, width float32, colour rgb, alpha float32) {
	n := int(min(max(a, b), 2000)/3) + 16
	var px, py float32
	for i := range n + 1 {
		t := float32(i) / float32(n) * 2 * pi
		u, v := a*cos(t), b*sin(t)
		x, y := cx+u*cos(roll)-v*sin(roll), cy+u*sin(roll)+v*cos(roll)
		if i > 0 {
			c.line(px, py, x, y, width, colour, alpha)
		}
		px, py = x, y
	}
}

// disc fills a circle, its edge softened over soft pixels.
func (c *canvas) disc(cx, cy, radius, soft float32, colour rgb, alpha float32) {
	x0, y0, x1, y1 := c.box(cx, cy, radius+soft+1)
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			dx, dy := float32(x)+0.5-cx, float32(y)+0.5-cy
			if cover := clamp((radius-sqrt(dx*dx+dy*dy))/soft + 0.5); cover > 0 {
				c.blend(x, y, colour, alpha*cover)
			}
		}
	}
}
