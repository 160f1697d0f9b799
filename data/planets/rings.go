package planets

// rings is a system of rings in the plane of the equator.
type rings struct {
	inner, outer float32 // radii, in the body's
	// Sums over the bins from inner to outer of opacity and of opacity times
	// brightness, so that any stretch is averaged by two look-ups.
	opacity, bright [ringBins + 1]float32
	colour          rgb
	inkWidth        float32 // outline of drawn rings, in pixels; 0 without
	ink             rgb
}

const ringBins = 1024

// ringZone is a stretch of a ring between two radii.
type ringZone struct{ from, to, opacity, bright float32 }

// saturnZones are the C, B and A rings with the Cassini division and the Encke
// gap between them.
var saturnZones = []ringZone{
	{1.24, 1.53, 0.18, 0.45}, {1.53, 1.66, 0.75, 0.80}, {1.66, 1.95, 0.97, 1.0},
	{1.95, 2.03, 0.10, 0.35}, {2.03, 2.21, 0.72, 0.78}, {2.21, 2.22, 0.05, 0.4}, {2.22, 2.27, 0.62, 0.72},
}

// newRings builds the zones; grain is the depth of the fine ringlets, 0..1.
func newRings(r random, zones []ringZone, colour rgb, grain float32) *rings {
	g := &rings{inner: zones[0].from, outer: zones[len(zones)-1].to, colour: colour}
	wave := newField(r, 1, 1)
	for i := range ringBins {
		radius := g.inner + (g.outer-g.inner)*(float32(i)+0.5)/ringBins
		var opacity, bright float32
		for _, z := range zones {
			if radius >= z.from && radius < z.to {
				opacity, bright = z.opacity, z.bright
			}
		}
		fine := 1 + grain*(0.6*wave.at(vec{radius * 40, 0, 0})+0.6*wave.at(vec{radius * 170, 9, 3}))
		g.opacity[i+1] = g.opacity[i] + clamp(opacity*fine)
		g.bright[i+1] = g.bright[i] + clamp(opacity*fine)*clamp(bright*lerp(1, fine, 0.5))
	}
	return g
}

// mean averages opacity and brightness over radius +- half.
func (g *rings) mean(radius, half float32) (opacity, bright float32) {
	scale := ringBins / (g.outer - g.inner)
	from, to := (radius-half-g.inner)*scale, (radius+half-g.inner)*scale
	if to-from < 1 {
		from, to = (from+to)/2-0.5, (from+to)/2+0.5
	}
	if to <= 0 || from >= ringBins {
		return 0, 0
	}
	lo, hi := min(max(from, 0), ringBins), min(max(to, 0), ringBins)
	sum := func(s *[ringBins + 1]float32, x float32) float32 {
		i := min(int(x), ringBins-1)
		return lerp(s[i], s[i+1], x-float32(i))
	}
	a := sum(&g.opacity, hi) - sum(&g.opacity, lo)
	if a <= 0 {
		return 0, 0
	}
	return a / (to - from), (sum(&g.bright, hi) - sum(&g.bright, lo)) / a
}

// ringView is a system of rings as one picture sees it.
type ringView struct {
	*rings
	body   *body
	light  vec
	dir    vec // from the body to the eye, held off the ring plane so that the rings keep a pixel's width
	across vec // the direction in the ring plane that points at the eye
	unlit  bool
}

// seen returns nil where there are no rings.
func (g *rings) seen(b *body, dir, light vec) *ringView {
	if g == nil {
		return nil
	}
	thin := 0.6 / b.r
	if b.flat {
		thin = 2 / b.r
	}
	if abs(dir.z) < thin {
		if dir.z < 0 {
			dir.z = -thin
		} else {
			dir.z = thin
		}
	}
	return &ringView{rings: g, body: b, light: light, dir: dir, across: vec{dir.x, dir.y, 0}.unit(),
		unlit: dir.z*light.z < 0}
}

// at returns what the rings show at the pixel whose ray runs through o, and
// whether they pass in front of the body's surface, which lies t along the ray.
func (g *ringView) at(o vec, t float32) (colour rgb, alpha float32, front bool) {
	s := -o.z / g.dir.z
	p := o.along(g.dir, s)
	radius := sqrt(p.x*p.x + p.y*p.y)
	if radius > g.outer*1.1 || radius < g.inner*0.8 {
		return rgb{}, 0, false
	}
	// A pixel covers more of the rings where they are seen at a slant.
	k := p.dot(g.across) / radius
	slant := sqrt(1 - min(k*k, 1) + k*k/(g.dir.z*g.dir.z))
	half := 0.5 * slant / g.body.r
	alpha, bright := g.mean(radius, half)
	if alpha == 0 {
		return rgb{}, 0, false
	}
	colour = g.colour.scale(bright)
	if g.body.flat {
		if g.inkWidth > 0 {
			gap := min(abs(radius-g.inner), abs(g.outer-radius)) / (2 * half)
			colour = colour.mix(g.ink, clamp(g.inkWidth-gap))
		}
		return colour, alpha, s > t
	}
	if g.unlit {
		colour = colour.scale(0.3)
	}
	if along := p.dot(g.light); along < 0 {
		off := sqrt(max(p.dot(p)-along*along, 0))
		colour = colour.scale(lerp(max(g.body.ambient, 0.03), 1, smooth(0.97, 1.02, off)))
	}
	return colour, alpha, s > t
}

// shadow is how much of the sun the rings take from a point of the body, 0..1.
func (g *ringView) shadow(p vec) float32 {
	if g.light.z == 0 {
		return 0
	}
	p.z *= g.body.polar
	s := -p.z / g.light.z
	if s <= 0 {
		return 0
	}
	q := p.along(g.light, s)
	radius := sqrt(q.x*q.x + q.y*q.y)
	if radius < g.inner || radius > g.outer {
		return 0
	}
	a, _ := g.mean(radius, 0.01)
	return a
}
