package planets

// banded is the surface of a giant planet: bands along the latitudes, torn by
// turbulence, with oval storms and bright streaks.
type banded struct {
	bands       *ramp // from the south pole to the north
	tear, fine  field
	tearing     float32 // how far turbulence moves the bands, in units of the axis
	fineness    float32 // contrast of the fine texture
	storms      []storm
	streaks     []streak
	streakShape field
	flat        bool // a drawing: no texture
}

// storm is an oval spot.
type storm struct {
	at, east, north vec
	a, b            float32 // half axes on the unit sphere
	colour, rim     rgb
	strength        float32
}

// newStorm places a spot at a latitude and longitude, in radians.
func newStorm(latitude, longitude, a, b float32, colour, rim rgb, strength float32) storm {
	at := vec{cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude)}
	east := vec{-sin(longitude), cos(longitude), 0}
	return storm{at, east, at.cross(east), a, b, colour, rim, strength}
}

// streak is a belt of thin white clouds about a latitude.
type streak struct {
	z, width, amount float32
	colour           rgb
}

func (s *banded) at(p vec) texel {
	z := p.z
	if !s.flat {
		calm := 1 - p.z*p.z
		z += s.tearing * calm * s.tear.at(p)
	}
	swirl := float32(0)
	var spot *storm
	var depth float32
	for i := range s.storms {
		t := &s.storms[i]
		if p.dot(t.at) < 0.3 {
			continue
		}
		u, v := p.dot(t.east)/t.a, p.dot(t.north)/t.b
		d := u*u + v*v
		if d > 4 {
			continue
		}
		// The bands part around the spot.
		z += t.b * v * 0.6 * smooth(4, 0.6, d) * t.strength
		if d < 1.3 {
			spot, depth, swirl = t, d, u*v
		}
	}
	colour := s.bands.at(z*0.5 + 0.5)
	if s.fineness > 0 {
		colour = colour.scale(1 + s.fineness*s.fine.at(p))
	}
	for i := range s.streaks {
		k := &s.streaks[i]
		if off := abs(p.z - k.z); off < k.width {
			n := s.streakShape.at(p)
			colour = colour.mix(k.colour, smooth(1-k.amount, 1.15-k.amount, n+0.35*(1-off/k.width))*(1-off/k.width))
		}
	}
	if spot != nil {
		in := smooth(1.25, 0.75, depth) * spot.strength
		ring := smooth(0.5, 0.85, depth)
		inner := spot.colour
		if !s.flat {
			inner = inner.scale(1 + 0.25*s.fine.at(p.scale(1+swirl*0.4)))
		}
		colour = colour.mix(inner.mix(spot.rim, ring*0.6), in)
	}
	return texel{colour: colour}
}
