package planets

var (
	jupiterZones = []uint32{0xe8dcc4, 0xf0e8d8, 0xd8c8a8, 0xe4d0b0, 0xdcd0c0, 0xece0c8}
	jupiterBelts = []uint32{0xa06c44, 0x8c5a3c, 0xb88458, 0x9a7050, 0xc09068, 0x7c5240, 0xb4907a}
)

// jupiterBands makes belts and zones in turn, of uneven widths, greyer at the
// poles.
func jupiterBands(r random, flat bool) *ramp {
	var t ramp
	n := 9 + r.IntN(7)
	if flat {
		n = 6 + r.IntN(4)
	}
	edges := make([]float32, n+1)
	for i := range n {
		edges[i+1] = edges[i] + r.between(0.5, 1.6)
	}
	colours := make([]rgb, n)
	for i := range colours {
		if i%2 == 0 {
			colours[i] = hex(pick(r, jupiterZones...)).jitter(r, 0.02)
		} else {
			colours[i] = hex(pick(r, jupiterBelts...)).jitter(r, 0.03)
		}
	}
	polar := hex(pick(r, uint32(0x9c8c7c), 0x8c8480, 0x7c8084, 0xa8947c))
	for i := range t {
		x := float32(i) / 255 * edges[n]
		k := 0
		for k < n-1 && x > edges[k+1] {
			k++
		}
		t[i] = colours[k]
		if !flat {
			off := abs(float32(i)/127.5 - 1)
			t[i] = t[i].mix(polar, smooth(0.6, 0.95, off)*0.7)
		}
	}
	if !flat {
		t.blur(1 + r.IntN(3))
	}
	return &t
}

// jupiterBody has strong bands and, three times of four, the Great Red Spot on
// the side we see.
func jupiterBody(r random, b *body, flat bool) {
	s := &banded{
		bands: jupiterBands(r, flat), flat: flat,
		tear: newField(r, r.between(7, 12), r.between(2, 4)), tearing: r.between(0.03, 0.13),
		fine: newField(r, r.between(9, 14), r.between(4, 7)), fineness: r.between(0.08, 0.3),
	}
	if flat {
		s.fineness, s.tearing = 0, 0
	}
	facing := b.facing()
	if r.chance(0.75) {
		a := r.between(0.16, 0.32)
		s.storms = append(s.storms, newStorm(-0.38, facing+r.between(-0.9, 0.9), a, a*r.between(0.5, 0.65),
			pick(r, hex(0xb4502c), hex(0xc86440), hex(0xa85838), hex(0xd08060)), hex(0xe8d8c0), r.between(0.7, 1)))
	}
	for range r.IntN(6) {
		a := r.between(0.03, 0.08)
		s.storms = append(s.storms, newStorm(pick(r, float32(-0.6), -0.5, 0.3, 0.6, 0.75)+r.between(-0.03, 0.03), facing+r.between(-1.3, 1.3), a, a*0.65,
			pick(r, hex(0xf0e8dc), hex(0xf0e8dc), hex(0x6c4430)), hex(0xd8c8b0), 0.8))
	}
	b.surface = s
	b.polar = 0.935
	b.limb = r.between(0.2, 0.6)
	b.flatness = r.between(0.1, 0.5)
}
