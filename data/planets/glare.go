package planets

// glare adds a sun or a bright star with its halo, and the ghosts a lens makes
// of it.
func glare(r random, c *canvas, x, y float32) {
	colour := pick(r, rgb{1, 0.95, 0.85}, rgb{1, 0.9, 0.7}, rgb{0.85, 0.92, 1})
	reach := c.short() * r.between(0.12, 0.6)
	strength := r.between(0.5, 1.3)
	x0, y0, x1, y1 := c.box(x, y, reach)
	for py := y0; py < y1; py++ {
		for px := x0; px < x1; px++ {
			dx, dy := float32(px)+0.5-x, float32(py)+0.5-y
			d := (dx*dx + dy*dy) / (reach * reach)
			if d < 1 {
				k := (1 - d) * (1 - d) * 0.08 / (d + 0.03)
				c.pix[py*c.w+px] = c.pix[py*c.w+px].add(colour.scale(k * strength))
			}
		}
	}
	if r.chance(0.5) {
		n := 2 + r.IntN(3)
		turn := r.between(0, pi)
		for i := range n {
			a := turn + float32(i)*pi/float32(n)
			c.line(x-reach*cos(a), y-reach*sin(a), x+reach*cos(a), y+reach*sin(a), 1.2, colour, 0.3*strength)
		}
	}
	if r.chance(0.5) { // ghosts lie on the line through the middle of the frame
		mx, my := float32(c.w)/2-x, float32(c.h)/2-y
		for range 2 + r.IntN(4) {
			t := r.between(0.4, 2.2)
			size := c.short() * r.between(0.015, 0.09)
			c.disc(x+mx*t, y+my*t, size, size*0.3, hsv(r.Float32(), 0.6, 1), r.between(0.05, 0.22))
		}
	}
	if r.chance(0.15) {
		c.ellipse(x, y, reach*0.8, reach*0.8, 0, reach*0.06, hsv(r.Float32(), 0.5, 1), 0.15)
	}
}
