package planets

// rock is the surface of a moon or a small world: patches and craters.
type rock struct {
	patch, grain field
	colour, dark rgb
	craters      []storm
	flat         bool
}

func newRock(r random, flat bool) *rock {
	s := &rock{patch: newField(r, r.between(8, 14), 1), grain: newField(r, 40, 1), flat: flat}
	s.colour = pick(r, hex(0xb4b0a8), hex(0x9c9890), hex(0xc8c0b0), hex(0xd0b070), hex(0xa87858), hex(0x887c74), hex(0xd8dce0))
	s.dark = s.colour.scale(r.between(0.4, 0.8))
	for range 4 + r.IntN(14) {
		c := storm{at: onSphere(r), a: r.between(0.03, 0.2)}
		s.craters = append(s.craters, c)
	}
	return s
}

func (s *rock) at(p vec) texel {
	n := s.patch.at(p)
	colour := s.colour.mix(s.dark, smooth(-0.2, 0.3, n))
	if !s.flat {
		colour = colour.scale(1 + 0.3*s.grain.at(p))
	}
	for i := range s.craters {
		c := &s.craters[i]
		d := p.dot(c.at)
		if d < 0.97 {
			continue
		}
		d = sqrt(2*(1-d)) / c.a
		if d < 1.2 {
			colour = colour.scale(1 - 0.3*smooth(1, 0.7, d) + 0.25*smooth(0.75, 1, d)*smooth(1.2, 1, d))
		}
	}
	return texel{colour: colour}
}

// rockBody makes a moon, or another small world: grey, brown, red, icy.
func rockBody(r random, b *body, flat bool) {
	b.surface = newRock(r, flat)
	b.flatness = r.between(0.1, 0.6)
}
