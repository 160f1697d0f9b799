package planets

// terrain is the surface of the Earth: oceans, continents by climate, ice caps
// and clouds.
type terrain struct {
	land, coast, climate, swirl, cloud field
	level                              float32 // sea level in units of the noise
	blur                               float32 // width of a coastline
	ice                                float32 // latitude (sine) where the caps begin
	cover                              float32 // clouds: 0 none, 1 overcast
	deep, shelf                        rgb
	forest, grass, desert, frozen      rgb
	cloudColour                        rgb
	gloss                              float32
	lights                             float32
	flat                               bool
}

func newTerrain(r random, flat bool) *terrain {
	s := &terrain{
		land: newField(r, r.between(10, 16), 1), coast: newField(r, r.between(36, 56), 1), climate: newField(r, 14, 1.3),
		swirl: newField(r, r.between(12, 18), 1.5), cloud: newField(r, r.between(26, 42), r.between(1.2, 2.2)),
		level: r.between(-0.08, 0.12), blur: 0.03, ice: r.between(0.86, 0.95), cover: r.between(0.15, 0.75),
		deep: hex(0x0b2a5c), shelf: hex(0x1c5a8c), forest: hex(0x24502a), grass: hex(0x5c7a38), desert: hex(0xb89a66),
		frozen: hex(0xeaf0f4), cloudColour: hex(0xf6f8fa), gloss: r.between(0, 0.5), flat: flat,
	}
	if r.chance(0.35) { // another camera, another processing
		s.deep = pick(r, hex(0x061a3a), hex(0x14406e), hex(0x103848), hex(0x1a3a7c), hex(0x0d1c2c), hex(0x2a5a94))
		s.shelf = s.deep.mix(hex(0x5ab0c8), r.between(0.15, 0.5))
		s.forest, s.grass = s.forest.jitter(r, 0.06), s.grass.jitter(r, 0.08)
	}
	if flat {
		s.cover = r.between(0, 0.35)
		s.level += 0.03
		s.deep = pick(r, hex(0x2f80c8), hex(0x3aa0dc), hex(0x1d5fa8), hex(0x69b7e0), hex(0x1b3a66), hex(0x7ec8d8))
		s.shelf = s.deep
		s.forest = pick(r, hex(0x4caf50), hex(0x77b43f), hex(0x2e8b57), hex(0x9acd5a), hex(0xd8c88a), hex(0xe8e0c8))
		s.grass, s.desert = s.forest, s.forest
		if r.chance(0.4) {
			s.desert = pick(r, hex(0xd9b76a), hex(0xc8963c))
		}
		s.gloss = 0
	}
	if r.chance(0.06) { // city lights
		s.lights = 1
	}
	return s
}

func (s *terrain) at(p vec) texel {
	broad := s.land.at(p)
	height := broad + 0.45*s.coast.at(p) - s.level
	latitude := abs(p.z)
	if s.flat {
		return s.flatAt(p, broad+0.15*s.coast.at(p)-s.level, latitude)
	}
	var t texel
	t.colour = s.deep.mix(s.shelf, smooth(-0.28, 0, height))
	t.gloss = s.gloss
	land := smooth(-s.blur, s.blur, height)
	dry := s.climate.at(p)
	if land > 0 {
		ground := s.forest.mix(s.grass, smooth(-0.25, 0.2, dry))
		desert := smooth(0.0, 0.3, dry+0.35-1.8*abs(latitude-0.42))
		ground = ground.mix(s.desert, desert)
		ground = ground.mix(hex(0x8a8474), smooth(0.62, 0.8, latitude+0.1*dry))
		ground = ground.scale(0.9 + 0.35*clamp(height))
		t.colour = t.colour.mix(ground, land)
		t.gloss *= 1 - land
		if s.lights > 0 {
			if n := s.coast.at(p.scale(5)) + 0.4*s.coast.at(p.scale(2)); n > 0.25 {
				t.glow = rgb{1, 0.75, 0.35}.scale(min(3*(n-0.25), 1) * land)
			}
		}
	}
	t.colour = t.colour.mix(s.frozen, smooth(s.ice-0.03, s.ice+0.04, latitude+0.12*dry+0.05*land))
	if s.cover > 0 {
		w := s.swirl.at(p) * 0.10
		q := vec{p.x + w, p.y - w*0.7, p.z + w*0.5}
		n := s.cloud.at(q) + 0.35*s.coast.at(q.scale(1.6)) + 0.5*s.swirl.at(q)
		low := 0.75 - 1.1*s.cover
		c := smooth(low, low+0.55, n)
		t.colour = t.colour.mix(s.cloudColour, c*0.95)
		t.gloss *= 1 - c
		t.glow = t.glow.scale(1 - c)
	}
	return t
}

// flatAt is the Earth of a drawing: hard edges, few colours.
func (s *terrain) flatAt(p vec, height, latitude float32) texel {
	colour := s.deep
	if height > 0 {
		colour = s.forest
		if height > 0.18 {
			colour = s.desert
		}
	}
	if latitude+0.06*s.climate.at(p) > s.ice {
		colour = s.frozen
	}
	if s.cover > 0 && s.swirl.at(vec{p.x, p.y, p.z * 2.2}) > 0.62-0.8*s.cover {
		colour = s.cloudColour
	}
	return texel{colour: colour}
}

func earthBody(r random, b *body, flat bool) {
	b.surface = newTerrain(r, flat)
	b.air = hex(0x7fb4f0).jitter(r, 0.05)
	if !flat {
		b.airDepth = r.between(0.3, 1)
		b.airReach = pick[float32](r, 0, 0.03, 0.06, 0.1)
		b.flatness = r.between(0.1, 0.6)
	}
}
