package planets

// scene is one picture on its way.
type scene struct {
	random
	c     *canvas
	truth int  // the class it shows
	flat  bool // a drawing: flat colours and outlines
	ink   rgb
	pen   float32 // width of outlines in pixels
}

// paint composes the picture: what is behind, the planet, what is around it.
func (s *scene) paint() {
	s.flat = s.chance(0.10)
	s.ink = pick(s.random, hex(0x101018), hex(0x202840), hex(0x402018), hex(0xffffff))
	if s.chance(0.6) {
		s.pen = s.c.short() * s.between(0.003, 0.012)
	}
	s.behind()
	switch s.weighted(0.60, 0.13, 0.04, 0.04, 0.04, 0.09, 0.02, 0.015, 0.025) {
	case 0:
		s.portrait()
	case 1:
		s.closeUp()
	case 2:
		s.far()
	case 3:
		s.crescent()
	case 4:
		s.lineUp()
	case 5:
		s.withMoons()
	case 6:
		s.sheet()
	case 7:
		s.chart()
	case 8:
		s.landscape()
	}
}

// behind paints the background.
func (s *scene) behind() {
	if s.flat || s.chance(0.06) {
		plainSky(s.random, s.c)
	} else {
		darkSky(s.random, s.c)
	}
}

// planet makes a body of a class at a place; phase is the angle between the sun
// and the eye.
func (s *scene) planet(class int, cx, cy, r, phase float32) *body {
	b := &body{cx: cx, cy: cy, r: r, polar: 1, flat: s.flat, ink: s.ink}
	if s.flat {
		b.outline = s.pen
	}
	tilt, roll := s.pose(class)
	b.frame = newFrame(tilt, roll, s.between(0, 2*pi))
	around := s.between(0, 2*pi)
	if s.chance(0.7) { // mostly from a side
		around = pick(s.random, float32(0), pi) + 0.35*s.normal()
	}
	b.light = vec{sin(phase) * cos(around), sin(phase) * sin(around), cos(phase)}
	b.ambient = pick(s.random, 0, 0.01, 0.03, s.between(0, 0.2))
	switch class {
	case earth:
		earthBody(s.random, b, s.flat)
	case jupiter:
		jupiterBody(s.random, b, s.flat)
	case neptune:
		neptuneBody(s.random, b, s.flat)
	case saturn:
		saturnBody(s.random, b, s.flat)
	default:
		rockBody(s.random, b, s.flat)
	}
	if s.flat && s.chance(0.5) {
		b.limb = 0
	}
	return b
}

// pose is how a planet's axis leans towards the eye and across the picture.
func (s *scene) pose(class int) (tilt, roll float32) {
	roll = 0.12 * s.normal()
	if s.chance(0.2) {
		roll = s.between(-pi, pi)
	}
	switch class {
	case earth:
		tilt = s.between(-0.7, 0.9)
	case jupiter:
		tilt = s.between(-0.15, 0.15)
		if s.chance(0.15) {
			tilt = s.between(-1.4, 1.4)
		}
	case neptune:
		tilt = s.between(-0.7, 0.3)
	case saturn:
		switch s.weighted(0.62, 0.16, 0.22) {
		case 0: // as seen from the Earth
			tilt = s.between(0.07, 0.47)
		case 1: // edge-on
			tilt = s.between(0, 0.05)
		case 2: // from a spacecraft above
			tilt = s.between(0.47, 1.3)
		}
		if s.chance(0.5) {
			tilt = -tilt
		}
	}
	return tilt, roll
}

// commonPhase is the phase angle of most pictures: the sun behind the camera,
// more or less.
func (s *scene) commonPhase() float32 {
	return pick(s.random, s.between(0, 0.5), s.between(0.2, 1), s.between(0.2, 1), s.between(0.7, 1.5))
}

// fit is the share of a radius that leaves room for what is around the disc.
func (s *scene) fit(class int) float32 {
	if class == saturn && s.chance(0.85) {
		return s.between(0.5, 0.75)
	}
	return 1
}

// extras adds what lies before the whole picture.
func (s *scene) extras(b *body) {
	w, h := float32(s.c.w), float32(s.c.h)
	if !s.flat && s.chance(0.14) {
		glare(s.random, s.c, s.between(0, w), s.between(0, h))
	}
	if s.chance(0.05) { // orbits, or circles of an instrument
		colour := hsv(s.Float32(), s.between(0, 0.7), 1)
		for i := range 1 + s.IntN(4) {
			a := b.r * (1.15 + 0.4*float32(i) + s.between(0, 0.2))
			s.c.ellipse(b.cx, b.cy, a, a*s.between(0.2, 1), 0.2*s.normal(), 1.3, colour, 0.6)
		}
	}
	if s.chance(0.04) { // a cross-hair
		colour := hsv(s.Float32(), 0.8, 1)
		s.c.line(0, b.cy, w, b.cy, 1, colour, 0.6)
		s.c.line(b.cx, 0, b.cx, h, 1, colour, 0.6)
	}
}

// portrait shows the whole planet.
func (s *scene) portrait() {
	short := s.c.short()
	r := short * s.between(0.28, 0.48) * s.fit(s.truth)
	b := s.planet(s.truth, float32(s.c.w)*(0.5+0.09*s.normal()), float32(s.c.h)*(0.5+0.06*s.normal()), r, s.commonPhase())
	b.draw(s.c)
	s.extras(b)
}

// closeUp shows a part of the disc.
func (s *scene) closeUp() {
	short := s.c.short()
	r := short * s.between(0.5, 1.5)
	off, around := r*s.between(0.25, 0.95), s.between(0, 2*pi)
	b := s.planet(s.truth, float32(s.c.w)/2+off*cos(around), float32(s.c.h)/2+off*sin(around), r, s.commonPhase())
	// The lit side faces the frame.
	if b.light.x*cos(around)-b.light.y*sin(around) > 0.2 {
		b.light.x, b.light.y = -b.light.x, -b.light.y
	}
	b.draw(s.c)
	s.extras(b)
}

// far shows the planet small in a wide field.
func (s *scene) far() {
	r := s.c.short() * s.between(0.06, 0.17)
	b := s.planet(s.truth, float32(s.c.w)*s.between(0.2, 0.8), float32(s.c.h)*s.between(0.2, 0.8), r, s.between(0, 0.9))
	for range s.IntN(5) { // its moons are points
		dot(s.c, b.cx+b.r*s.between(-6, 6), b.cy+b.r*s.between(-0.4, 0.4), s.between(0.8, 2), rgb{1, 1, 0.95}.scale(s.between(0.4, 1)))
	}
	b.draw(s.c)
	s.extras(b)
}

// crescent shows the planet against the light.
func (s *scene) crescent() {
	r := s.c.short() * s.between(0.25, 0.5) * s.fit(s.truth)
	b := s.planet(s.truth, float32(s.c.w)*(0.5+0.08*s.normal()), float32(s.c.h)*(0.5+0.06*s.normal()), r, s.between(1.6, 2.4))
	b.ambient = max(b.ambient, s.between(0.02, 0.12))
	b.draw(s.c)
	if s.chance(0.5) {
		glare(s.random, s.c, b.cx+b.r*b.light.x*1.1, b.cy-b.r*b.light.y*1.1)
	}
	s.extras(b)
}

// lineUp shows the planet among others, itself the largest.
func (s *scene) lineUp() {
	w, h := float32(s.c.w), float32(s.c.h)
	phase := s.commonPhase()
	r := s.c.short() * s.between(0.22, 0.36) * s.fit(s.truth)
	main := s.planet(s.truth, w*s.between(0.3, 0.7), h*s.between(0.35, 0.65), r, phase)
	for range 2 + s.IntN(4) {
		class := s.IntN(len(Classes) + 2)
		if class == s.truth {
			class = len(Classes)
		}
		size := r * s.between(0.12, 0.45)
		side := pick(s.random, float32(-1), 1)
		b := s.planet(class, main.cx+side*s.between(r*1.2, w*0.5), h*s.between(0.15, 0.85), size, phase)
		b.light = main.light
		b.draw(s.c)
	}
	main.draw(s.c)
	s.extras(main)
}

// withMoons shows moons, one of them perhaps before the disc, with its shadow.
func (s *scene) withMoons() {
	r := s.c.short() * s.between(0.22, 0.46) * s.fit(s.truth)
	b := s.planet(s.truth, float32(s.c.w)*s.between(0.35, 0.65), float32(s.c.h)*(0.5+0.06*s.normal()), r, s.commonPhase())
	b.draw(s.c)
	for range 1 + s.IntN(3) {
		size := r * pick(s.random, s.between(0.02, 0.06), s.between(0.05, 0.15), s.between(0.15, 0.45))
		d, a := r*s.between(0, 2.2), s.between(0, 2*pi)
		x, y := b.cx+d*cos(a), b.cy+d*sin(a)*0.6
		if d < r*0.8 && size < r*0.1 && !s.flat {
			s.c.disc(x-b.light.x*r*0.25, y+b.light.y*r*0.25, size, 1.5, rgb{}, 0.85)
		}
		m := s.planet(-1, x, y, size, 0.5)
		m.light = b.light
		m.draw(s.c)
	}
	s.extras(b)
}

// sheet shows several pictures of the planet side by side.
func (s *scene) sheet() {
	cols, rows := 2+s.IntN(2), 1+s.IntN(2)
	gap := s.IntN(6)
	s.c.fill(hex(0xffffff).scale(pick(s.random, float32(0), 1, 0.5)))
	cell := new(canvas)
	inner := *s
	inner.c = cell
	for j := range rows {
		for i := range cols {
			x0, y0 := i*s.c.w/cols+gap, j*s.c.h/rows+gap
			x1, y1 := (i+1)*s.c.w/cols-gap, (j+1)*s.c.h/rows-gap
			cell.reset(x1-x0, y1-y0)
			inner.behind()
			inner.portrait()
			for y := range cell.h {
				copy(s.c.row(y0 + y)[x0:x1], cell.row(y))
			}
		}
	}
}

// chart shows the whole surface unrolled, latitude upwards.
func (s *scene) chart() {
	if s.truth == saturn {
		s.portrait() // a map would show no rings
		return
	}
	b := s.planet(s.truth, 0, 0, 1, 0)
	left, top := 0, 0
	if s.chance(0.5) {
		left, top = s.c.w/12, s.c.h/10
	}
	spread := s.between(0.4, 1)
	turn := s.between(0, 2*pi)
	for y := top; y < s.c.h-top; y++ {
		latitude := (0.5 - float32(y-top)/float32(s.c.h-2*top)) * pi * spread
		z, k := sin(latitude), cos(latitude)
		row := s.c.row(y)
		for x := left; x < s.c.w-left; x++ {
			longitude := turn + float32(x-left)/float32(s.c.w-2*left)*2*pi*spread
			row[x] = b.surface.at(vec{k * cos(longitude), k * sin(longitude), z}).colour
		}
	}
	if s.chance(0.4) {
		for i := range 7 {
			t := float32(i) / 6
			s.c.line(t*float32(s.c.w), 0, t*float32(s.c.w), float32(s.c.h), 1, s.ink, 0.4)
			s.c.line(0, t*float32(s.c.h), float32(s.c.w), t*float32(s.c.h), 1, s.ink, 0.4)
		}
	}
}

// landscape shows the planet in the sky of another world.
func (s *scene) landscape() {
	r := s.c.short() * s.between(0.15, 0.42) * s.fit(s.truth)
	b := s.planet(s.truth, float32(s.c.w)*s.between(0.25, 0.75), float32(s.c.h)*s.between(0.25, 0.55), r, s.commonPhase())
	b.draw(s.c)
	ground(s.random, s.c)
	s.extras(b)
}
