package planets

// saturnBody has soft bands and the rings.
func saturnBody(r random, b *body, flat bool) {
	base := pick(r, hex(0xdcc490), hex(0xd4b880), hex(0xe4d4a8), hex(0xc8a878), hex(0xe8d0a0), hex(0xccb898)).jitter(r, 0.03)
	contrast := r.between(0.03, 0.12)
	n := 8 + r.IntN(6)
	if flat {
		n = 4 + r.IntN(4)
	}
	colours := make([]rgb, n)
	for i := range colours {
		colours[i] = base.scale(1+contrast*r.normal()).jitter(r, contrast/4)
	}
	s := &banded{bands: newRamp(colours...), flat: flat,
		tear: newField(r, 7, 3), tearing: r.between(0, 0.03),
		fine: newField(r, 8, 8), fineness: r.between(0, 0.06)}
	if flat {
		for i := range s.bands {
			s.bands[i] = colours[min(i*n/256, n-1)]
		}
		s.fineness = 0
	} else {
		s.bands.blur(3)
	}
	b.surface = s
	b.polar = 0.9
	b.limb = r.between(0.2, 0.6)
	b.flatness = r.between(0.1, 0.5)
	if flat {
		b.rings = drawnRings(r, base)
		b.rings.inkWidth, b.rings.ink = b.outline, b.ink
		return
	}
	colour := base.mix(pick(r, hex(0xd8ccb8), hex(0xc8b898), hex(0xe0dcd4)), 0.7)
	b.rings = newRings(r, saturnZones, colour, r.between(0.2, 0.9))
}

// drawnRings are the rings of a drawing: one to three plain bands.
func drawnRings(r random, base rgb) *rings {
	colour := pick(r, base.scale(0.85), hex(0xc89c64), hex(0xe8dcc0), hex(0xa08cc8), hex(0xd87c5c), hex(0xb0b8c8))
	inner, outer := r.between(1.2, 1.45), r.between(1.8, 2.3)
	zones := []ringZone{{inner, outer, 1, 1}}
	switch r.IntN(3) {
	case 1:
		m := lerp(inner, outer, r.between(0.4, 0.7))
		zones = []ringZone{{inner, m - 0.04, 1, 0.85}, {m - 0.04, m + 0.04, 0, 0}, {m + 0.04, outer, 1, 1}}
	case 2:
		m := lerp(inner, outer, 0.33)
		k := lerp(inner, outer, 0.7)
		zones = []ringZone{{inner, m, 1, 0.75}, {m, k, 1, 1}, {k, outer, 1, 0.85}}
	}
	return newRings(r, zones, colour, 0)
}
