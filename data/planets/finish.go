package planets

// vignette darkens the corners.
func vignette(c *canvas, depth float32) {
	cx, cy := float32(c.w)/2, float32(c.h)/2
	scale := 1 / (cx*cx + cy*cy)
	for y := range c.h {
		row := c.row(y)
		dy := float32(y) - cy
		for x := range row {
			dx := float32(x) - cx
			row[x] = row[x].scale(1 - depth*(dx*dx+dy*dy)*scale)
		}
	}
}

// blur smooths with a box of 2n+1 pixels each way, twice, which is near enough
// to a lens out of focus. spare is memory to work in.
func blur(c, spare *canvas, n int) {
	spare.reset(c.w, c.h)
	for range 2 {
		for y := range c.h {
			boxBlur(spare.pix[y*c.w:], c.pix[y*c.w:], c.w, 1, n)
		}
		for x := range c.w {
			boxBlur(c.pix[x:], spare.pix[x:], c.h, c.w, n)
		}
	}
}

// boxBlur writes the running mean of count pixels that lie step apart.
func boxBlur(to, from []rgb, count, step, n int) {
	scale := 1 / float32(2*n+1)
	var sum rgb
	at := func(i int) rgb { return from[min(max(i, 0), count-1)*step] }
	for i := -n; i <= n; i++ {
		sum = sum.add(at(i))
	}
	for i := range count {
		to[i*step] = sum.scale(scale)
		sum = sum.add(at(i + n + 1)).add(at(i - n).scale(-1))
	}
}

// smear blurs along a line, as a hand-held camera does.
func smear(r random, c, spare *canvas, length float32) {
	spare.reset(c.w, c.h)
	angle := r.between(0, 2*pi)
	n := int(length) + 2
	dx, dy := make([]int, n), make([]int, n)
	for i := range n {
		t := (float32(i)/float32(n-1) - 0.5) * length
		dx[i], dy[i] = int(t*cos(angle)), int(t*sin(angle))
	}
	copy(spare.pix, c.pix)
	for y := range c.h {
		for x := range c.w {
			var sum rgb
			for i := range n {
				sx, sy := min(max(x+dx[i], 0), c.w-1), min(max(y+dy[i], 0), c.h-1)
				sum = sum.add(spare.pix[sy*c.w+sx])
			}
			c.pix[y*c.w+x] = sum.scale(1 / float32(n))
		}
	}
}

// enlarge draws from, stretched, over the whole of c.
func enlarge(c, from *canvas) {
	sx, sy := float32(from.w)/float32(c.w), float32(from.h)/float32(c.h)
	for y := range c.h {
		v := max((float32(y)+0.5)*sy-0.5, 0)
		y0 := int(v)
		top, bottom := from.row(y0), from.row(min(y0+1, from.h-1))
		row := c.row(y)
		for x := range row {
			u := max((float32(x)+0.5)*sx-0.5, 0)
			x0 := int(u)
			x1 := min(x0+1, from.w-1)
			fu := u - float32(x0)
			row[x] = top[x0].mix(top[x1], fu).mix(bottom[x0].mix(bottom[x1], fu), v-float32(y0))
		}
	}
}

// grain adds the noise of a sensor, or of film where coarse.
func grain(r random, c *canvas, depth float32, coloured bool) {
	var table [1024]float32
	for i := range table {
		table[i] = depth * r.normal()
	}
	for i := range c.pix {
		bits := r.Uint32()
		p := &c.pix[i]
		n := table[bits&1023]
		if coloured {
			*p = p.add(rgb{n, table[bits>>10&1023], table[bits>>20&1023]})
		} else {
			*p = p.add(rgb{n, n, n})
		}
	}
}
