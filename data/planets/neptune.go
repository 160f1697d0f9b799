package planets

// neptuneBody is smooth: faint bands, now and then a dark spot, thin white
// streaks.
func neptuneBody(r random, b *body, flat bool) {
	base := pick(r, hex(0x3c64d0), hex(0x4878d8), hex(0x2c50b8), hex(0x5c8ce0), hex(0x6ca0dc), hex(0x8cb8d8), hex(0x3478b8)).jitter(r, 0.03)
	contrast := r.between(0.02, 0.16)
	n := 5 + r.IntN(5)
	if flat {
		contrast, n = r.between(0, 0.12), 3+r.IntN(4)
	}
	colours := make([]rgb, n)
	for i := range colours {
		colours[i] = base.scale(1+contrast*r.normal()).jitter(r, contrast/6)
	}
	s := &banded{bands: newRamp(colours...), flat: flat,
		tear: newField(r, 6, 2), tearing: 0.03,
		fine: newField(r, 6, 6), fineness: r.between(0, 0.05),
		streakShape: newField(r, r.between(7, 11), r.between(5, 9))}
	if !flat {
		s.bands.blur(4)
	} else {
		s.fineness = 0
		if r.chance(0.5) {
			for i := range s.bands {
				s.bands[i] = colours[min(i*n/256, n-1)]
			}
		}
	}
	facing := b.facing()
	if r.chance(0.4) {
		a := r.between(0.14, 0.28)
		z := r.between(-0.45, -0.2)
		lon := facing + r.between(-0.8, 0.8)
		dark := base.scale(r.between(0.55, 0.8))
		s.storms = append(s.storms, newStorm(z, lon, a, a*0.55, dark, dark.mix(base, 0.5), r.between(0.6, 1)))
		if !flat && r.chance(0.7) {
			s.storms = append(s.storms, newStorm(z-a*0.7, lon+0.05, a*0.9, a*0.1, hex(0xe8f0fc), hex(0xe8f0fc), 0.7))
		}
	}
	for range r.IntN(4) {
		s.streaks = append(s.streaks, streak{r.between(-0.75, 0.6), r.between(0.04, 0.14), r.between(0.4, 0.95), hex(0xf0f6ff)})
	}
	b.surface = s
	b.polar = 0.98
	b.limb = r.between(0.25, 0.7)
	b.flatness = r.between(0, 0.4)
	if !flat && r.chance(0.5) {
		b.air, b.airDepth, b.airReach = base.mix(hex(0xffffff), 0.5), r.between(0.1, 0.6), pick[float32](r, 0, 0, 0.03, 0.06)
	}
}
