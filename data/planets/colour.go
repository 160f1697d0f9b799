package planets

// rgb is a colour as a display shows it (gamma-encoded), each part 0..1.
type rgb struct{ r, g, b float32 }

func hex(v uint32) rgb {
	return rgb{float32(v>>16&255) / 255, float32(v>>8&255) / 255, float32(v&255) / 255}
}

func (a rgb) mix(b rgb, t float32) rgb {
	return rgb{a.r + (b.r-a.r)*t, a.g + (b.g-a.g)*t, a.b + (b.b-a.b)*t}
}
func (a rgb) scale(s float32) rgb { return rgb{a.r * s, a.g * s, a.b * s} }
func (a rgb) add(b rgb) rgb       { return rgb{a.r + b.r, a.g + b.g, a.b + b.b} }
func (a rgb) mul(b rgb) rgb       { return rgb{a.r * b.r, a.g * b.g, a.b * b.b} }

// held is the colour a display can show that is nearest.
func (a rgb) held() rgb { return rgb{clamp(a.r), clamp(a.g), clamp(a.b)} }

// luma is the brightness by BT.601, 0..1.
func (a rgb) luma() float32 { return 0.299*a.r + 0.587*a.g + 0.114*a.b }

// hsv returns the colour of a hue in turns, a saturation and a value, both 0..1.
func hsv(h, s, v float32) rgb {
	part := func(n float32) float32 {
		k := n + h*6
		k -= 6 * float32(int(k/6))
		return v - v*s*max(0, min(k, 4-k, 1))
	}
	return rgb{part(5), part(3), part(1)}
}

// jitter moves each part by a normal number of the given deviation.
func (a rgb) jitter(r random, by float32) rgb {
	return rgb{clamp(a.r + by*r.normal()), clamp(a.g + by*r.normal()), clamp(a.b + by*r.normal())}
}

// ramp is a table of colours over 0..1.
type ramp [256]rgb

// newRamp places the colours at equal distances.
func newRamp(colours ...rgb) *ramp {
	var t ramp
	for i := range t {
		x := float32(i) / 255 * float32(len(colours)-1)
		k := min(int(x), len(colours)-2)
		t[i] = colours[k].mix(colours[k+1], x-float32(k))
	}
	return &t
}

// at interpolates between the table's colours; x outside 0..1 is held.
func (t *ramp) at(x float32) rgb {
	x = clamp(x) * 255
	i := int(x)
	if i >= 255 {
		return t[255]
	}
	return t[i].mix(t[i+1], x-float32(i))
}

// blur smooths the table with a box of 2n+1 entries.
func (t *ramp) blur(n int) {
	from := *t
	for i := range t {
		var sum rgb
		for k := i - n; k <= i+n; k++ {
			sum = sum.add(from[min(max(k, 0), 255)])
		}
		t[i] = sum.scale(1 / float32(2*n+1))
	}
}
