package planets

// grade is what processing does to the colours of a picture. It reports whether
// the picture has become grey.
func grade(r random, c *canvas) (grey bool) {
	switch r.weighted(0.82, 0.07, 0.03, 0.02, 0.02, 0.03, 0.01) {
	case 0:
		develop(r, c)
	case 1: // black and white
		mapLuma(c, newRamp(rgb{}, rgb{1, 1, 1}), r.between(0.8, 1.2))
		return true
	case 2: // toned: sepia, cyanotype, any one colour
		mapLuma(c, newRamp(hsv(r.Float32(), r.between(0.2, 0.9), r.between(0, 0.15)), hsv(r.Float32(), r.between(0.3, 0.9), 0.55), hsv(r.Float32(), r.between(0, 0.4), 1)), 1)
	case 3: // false colour: infrared, methane band, radio
		n := 3 + r.IntN(4)
		colours := make([]rgb, n)
		hue, step := r.Float32(), r.between(-0.35, 0.35)
		for i := range colours {
			x := float32(i) / float32(n-1)
			h := hue + step*float32(i) + 2
			colours[i] = hsv(h-float32(int(h)), r.between(0.5, 1), x*r.between(0.7, 1))
		}
		mapLuma(c, newRamp(colours...), r.between(0.9, 1.6))
	case 4: // filters in the wrong order, or hues turned on purpose
		turnHue(c, r.between(0, 2*pi), r.between(0.5, 1.3))
	case 5: // a strong cast
		cast := hsv(r.Float32(), r.between(0.3, 0.8), 1)
		for i := range c.pix {
			c.pix[i] = c.pix[i].mul(cast)
		}
	case 6: // a negative
		for i := range c.pix {
			p := c.pix[i]
			c.pix[i] = rgb{1 - p.r, 1 - p.g, 1 - p.b}
		}
	}
	return false
}

// develop changes exposure, contrast, saturation and white balance a little.
func develop(r random, c *canvas) {
	gain, contrast, saturation := r.between(0.75, 1.25), r.between(0.8, 1.25), r.between(0.6, 1.5)
	lift := r.between(0, 0.06)
	balance := rgb{1 + 0.07*r.normal(), 1 + 0.03*r.normal(), 1 + 0.07*r.normal()}.scale(gain)
	for i := range c.pix {
		p := c.pix[i].mul(balance)
		l := p.luma()
		p = rgb{l, l, l}.mix(p, saturation)
		c.pix[i] = rgb{(p.r-0.3)*contrast + 0.3 + lift, (p.g-0.3)*contrast + 0.3 + lift, (p.b-0.3)*contrast + 0.3 + lift}
	}
}

func mapLuma(c *canvas, t *ramp, gain float32) {
	for i := range c.pix {
		c.pix[i] = t.at(c.pix[i].luma() * gain)
	}
}

// turnHue turns the colour plane (YIQ) by an angle.
func turnHue(c *canvas, angle, saturation float32) {
	u, w := saturation*cos(angle), saturation*sin(angle)
	for k := range c.pix {
		p := c.pix[k]
		y := p.luma()
		i, q := 0.596*p.r-0.274*p.g-0.322*p.b, 0.211*p.r-0.523*p.g+0.312*p.b
		i, q = i*u-q*w, i*w+q*u
		c.pix[k] = rgb{y + 0.956*i + 0.621*q, y - 0.272*i - 0.647*q, y - 1.106*i + 1.703*q}
	}
}
