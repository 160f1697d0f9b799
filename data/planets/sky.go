package planets

// darkSky paints what photos and renderings have behind a planet.
func darkSky(r random, c *canvas) {
	switch r.weighted(0.40, 0.42, 0.08, 0.06, 0.04) {
	case 0:
		c.fill(rgb{}.jitter(r, 0.012))
	case 1:
		c.fill(hex(pick(r, uint32(0x000000), 0x020308, 0x05060c, 0x0a0a10)))
		stars(r, c, r.between(0.2, 2.5))
	case 2:
		nebula(r, c)
		stars(r, c, r.between(0.5, 3))
	case 3:
		gradient(r, c, hsv(r.Float32(), r.between(0.2, 0.9), r.between(0.02, 0.3)), hsv(r.Float32(), r.between(0.2, 0.9), r.between(0.05, 0.6)))
		if r.chance(0.5) {
			stars(r, c, r.between(0.3, 1.5))
		}
	case 4: // grey or hazy frames of small telescopes
		c.fill(hex(0xffffff).scale(r.between(0.03, 0.3)))
	}
}

// plainSky paints what drawings, diagrams and cut-outs have behind them.
func plainSky(r random, c *canvas) {
	switch r.weighted(0.2, 0.25, 0.15, 0.2, 0.2) {
	case 0:
		c.fill(hex(0xffffff).scale(r.between(0.9, 1)))
	case 1:
		c.fill(hsv(r.Float32(), r.between(0.1, 0.8), r.between(0.3, 1)))
	case 2:
		paper(r, c)
	case 3:
		c.fill(hsv(r.between(0.55, 0.85), r.between(0.3, 0.9), r.between(0.08, 0.4)))
		drawnStars(r, c)
	case 4:
		gradient(r, c, hsv(r.Float32(), r.between(0.2, 0.8), r.between(0.2, 1)), hsv(r.Float32(), r.between(0.2, 0.8), r.between(0.2, 1)))
		if r.chance(0.4) {
			drawnStars(r, c)
		}
	}
}

// stars scatters points of light; density is in stars per 1000 pixels.
func stars(r random, c *canvas, density float32) {
	n := int(density * float32(c.w*c.h) / 1000)
	size := r.between(0.5, 1.1)
	for range n {
		x, y := r.between(0, float32(c.w)), r.between(0, float32(c.h))
		bright := r.Float32()
		bright = 0.1 + 0.9*bright*bright*bright
		colour := rgb{1, 1, 1}.mix(hsv(pick(r, float32(0.08), 0.6, 0.62), 0.5, 1), r.Float32()*0.7)
		if bright > 0.8 && r.chance(0.3) {
			spikes(c, x, y, r.between(3, 9), colour, 0.7)
		}
		dot(c, x, y, size*(0.5+bright), colour.scale(bright))
	}
}

// dot adds a small point of light.
func dot(c *canvas, x, y, radius float32, colour rgb) {
	x0, y0, x1, y1 := c.box(x, y, radius+1)
	for py := y0; py < y1; py++ {
		for px := x0; px < x1; px++ {
			dx, dy := float32(px)+0.5-x, float32(py)+0.5-y
			if k := 1 - (dx*dx+dy*dy)/((radius+0.5)*(radius+0.5)); k > 0 {
				c.pix[py*c.w+px] = c.pix[py*c.w+px].add(colour.scale(k))
			}
		}
	}
}

// spikes adds the cross that a telescope's mirror mount draws through a star.
func spikes(c *canvas, x, y, length float32, colour rgb, strength float32) {
	for i := -int(length); i <= int(length); i++ {
		k := (1 - abs(float32(i))/length) * strength
		c.blend(int(x)+i, int(y), colour, k)
		c.blend(int(x), int(y)+i, colour, k)
	}
}

func drawnStars(r random, c *canvas) {
	colour := pick(r, hex(0xffffff), hex(0xffe9a0), hex(0xcfe4ff))
	for range 8 + r.IntN(50) {
		x, y, s := r.between(0, float32(c.w)), r.between(0, float32(c.h)), c.short()*r.between(0.002, 0.012)
		if r.chance(0.25) {
			c.line(x-2*s, y, x+2*s, y, max(s*0.5, 1), colour, 0.9)
			c.line(x, y-2*s, x, y+2*s, max(s*0.5, 1), colour, 0.9)
		} else {
			c.disc(x, y, s, 1, colour, 0.9)
		}
	}
}

// nebula paints clouds of two colours.
func nebula(r random, c *canvas) {
	scale := r.between(14, 34) / c.short()
	cloud, veil := newField(r, scale, 1), newField(r, scale*2.5, 1)
	a, b := hsv(r.Float32(), r.between(0.4, 0.9), r.between(0.2, 0.8)), hsv(r.Float32(), r.between(0.4, 0.9), r.between(0.2, 0.7))
	dark := hsv(r.Float32(), 0.6, r.between(0, 0.1))
	low := r.between(-0.3, 0.2)
	for y := range c.h {
		row := c.row(y)
		for x := range row {
			p := vec{float32(x), float32(y), 0}
			n := cloud.at(p) + 0.4*veil.at(p)
			row[x] = dark.mix(a.mix(b, clamp(0.5+veil.at(p.scale(0.3)))), smooth(low, low+1, n))
		}
	}
}

// gradient runs from one colour to another across the picture or about a point.
func gradient(r random, c *canvas, from, to rgb) {
	if r.chance(0.4) {
		cx, cy := r.between(0, float32(c.w)), r.between(0, float32(c.h))
		reach := float32(max(c.w, c.h)) * r.between(0.6, 1.2)
		for y := range c.h {
			row := c.row(y)
			for x := range row {
				dx, dy := float32(x)-cx, float32(y)-cy
				row[x] = to.mix(from, clamp(sqrt(dx*dx+dy*dy)/reach))
			}
		}
		return
	}
	angle := r.between(0, 2*pi)
	dx, dy := cos(angle)/float32(c.w), sin(angle)/float32(c.h)
	for y := range c.h {
		row := c.row(y)
		for x := range row {
			row[x] = from.mix(to, clamp(0.5+(float32(x)-float32(c.w)/2)*dx+(float32(y)-float32(c.h)/2)*dy))
		}
	}
}

// paper is a scanned sheet: old book, sketch pad, blueprint.
func paper(r random, c *canvas) {
	base := pick(r, hex(0xf4ecd8), hex(0xe8dcc0), hex(0xfaf8f2), hex(0xd8c8a4), hex(0xe4e4e0), hex(0x24487c))
	scale := 20 / c.short()
	stain, grain := newField(r, scale, 1), newField(r, scale*9, 1)
	depth := r.between(0.02, 0.1)
	for y := range c.h {
		row := c.row(y)
		for x := range row {
			p := vec{float32(x), float32(y), 0}
			row[x] = base.scale(1 + depth*(stain.at(p)+0.5*grain.at(p)))
		}
	}
}

// ground paints the surface of another world along the lower edge, as posters
// and science fiction have it.
func ground(r random, c *canvas) {
	ridge, stones := newField(r, r.between(8, 20)/float32(c.w), 1), newField(r, r.between(40, 90)/float32(c.w), 3)
	horizon := float32(c.h) * r.between(0.68, 0.88)
	height := float32(c.h) * r.between(0.03, 0.18)
	near := hsv(r.Float32(), r.between(0, 0.6), r.between(0.05, 0.5))
	for x := range c.w {
		p := vec{float32(x), 0, 0}
		top := horizon - height*ridge.at(p)
		for y := max(int(top), 0); y < c.h; y++ {
			n := stones.at(vec{float32(x), float32(y), 0})
			cover := clamp(float32(y) + 1 - top)
			c.blend(x, y, near.scale(0.7+0.5*n+0.5*(float32(y)-top)/float32(c.h)), cover)
		}
	}
}
