package planets

// texel is what a surface is like at one point.
type texel struct {
	colour rgb
	gloss  float32 // strength of the sun's mirror image
	glow   rgb     // its own light, seen where the sun does not shine
}

// surface is the look of a body. at takes a point of the unit sphere in the
// body's frame.
type surface interface{ at(p vec) texel }

// body is a planet or moon in the picture.
type body struct {
	cx, cy, r float32 // centre and equatorial radius in pixels
	frame     frame
	polar     float32 // polar radius over equatorial, 0.5..1
	light     vec     // towards the sun, in the view frame
	surface   surface
	rings     *rings

	ambient  float32 // light on the night side, 0..1
	flatness float32 // 0 shades like chalk, 1 has an even disc up to the terminator
	limb     float32 // darkening towards the edge, 0..1
	air      rgb     // colour of the rim
	airDepth float32 // strength of the rim, 0..1
	airReach float32 // height of the glow outside, in radii

	flat    bool    // drawn with flat colours instead of shading
	outline float32 // width of the drawn outline in pixels
	ink     rgb
}

// draw paints the body over the canvas, one ray to a pixel.
func (b *body) draw(c *canvas) {
	reach := 1 + b.airReach
	if b.rings != nil {
		reach = max(reach, b.rings.outer)
	}
	dir := b.frame.in(vec{0, 0, 1}) // from the body to the eye
	light := b.frame.in(b.light)
	squash := 1 / b.polar
	d := vec{dir.x, dir.y, dir.z * squash}
	a := d.dot(d)
	right, up := b.frame.in(vec{1, 0, 0}), b.frame.in(vec{0, 1, 0})
	ring := b.rings.seen(b, dir, light)

	// Where under is below this, the ray misses the disc and its air by half a pixel.
	miss := 1 + b.airReach + 0.5/b.r
	nothing := a * (1 - miss*miss)

	x0, y0, x1, y1 := c.box(b.cx, b.cy, reach*b.r+2)
	for y := y0; y < y1; y++ {
		row := c.row(y)
		v := (b.cy - float32(y) - 0.5) / b.r
		for x := x0; x < x1; x++ {
			u := (float32(x) + 0.5 - b.cx) / b.r
			o := right.scale(u).add(up.scale(v))
			e := vec{o.x, o.y, o.z * squash}
			bq := e.dot(d)
			under := bq*bq - a*(e.dot(e)-1)
			if under < nothing && ring == nil {
				continue
			}
			edge := (1 - sqrt(max(0, 1-under/a))) * b.r // pixels inside the outline, about
			colour, t := row[x], float32(-1e9)
			cover := clamp(edge + 0.5)
			if cover > 0 {
				t = (sqrt(max(under, 0)) - bq) / a
			}
			var front bool
			var ringColour rgb
			var ringAlpha float32
			if ring != nil {
				ringColour, ringAlpha, front = ring.at(o, t)
				if ringAlpha > 0 && !front {
					colour = colour.mix(ringColour, ringAlpha)
				}
			}
			if b.airReach > 0 && cover < 1 {
				colour = colour.add(b.halo(u, v, -edge/b.r))
			}
			if cover > 0 {
				p := e.along(d, t)
				lit := b.shade(p, dir, light, ring)
				if b.outline > 0 {
					lit = lit.mix(b.ink, clamp(b.outline-edge+0.5))
				}
				colour = colour.mix(lit, cover)
			}
			if front {
				colour = colour.mix(ringColour, ringAlpha)
			}
			row[x] = colour
		}
	}
}

// halo is the light of the air outside the disc, height in radii.
func (b *body) halo(u, v, height float32) rgb {
	if height > b.airReach {
		return rgb{}
	}
	t := 1 - max(height, 0)/b.airReach
	lit := clamp(0.35 + (u*b.light.x+v*b.light.y)*0.9 + b.light.z*0.6)
	return b.air.scale(t * t * t * lit * b.airDepth * 0.8)
}

// shade is the colour at p, a point of the unit sphere in the body's frame.
func (b *body) shade(p, dir, light vec, ring *ringView) rgb {
	normal := p
	if b.polar != 1 {
		normal = vec{p.x, p.y, p.z / b.polar}.unit()
	}
	sun, eye := normal.dot(light), max(normal.dot(dir), 0)
	s := b.surface.at(p)
	if b.flat {
		shade := float32(1)
		if sun < 0.15 {
			shade = 1 - b.limb
		}
		return s.colour.scale(shade)
	}
	bright := lerp(max(sun, 0), smooth(-0.06, 0.22, sun), b.flatness)
	if ring != nil && sun > 0 {
		bright *= 1 - 0.85*ring.shadow(p)
	}
	bright = b.ambient + (1-b.ambient)*bright
	bright *= 1 - b.limb*(1-eye)
	colour := s.colour.scale(bright)
	if b.airDepth > 0 {
		rim := 1 - eye
		rim *= rim * rim * b.airDepth
		colour = colour.mix(b.air, min(rim*bright, 1))
	}
	if s.gloss > 0 && sun > 0 {
		half := light.add(dir).unit().dot(normal)
		half *= half
		half *= half
		half *= half
		half *= half
		half *= half
		colour = colour.add(rgb{1, 0.97, 0.9}.scale(s.gloss * half))
	}
	if sun < 0.1 && s.glow != (rgb{}) {
		colour = colour.add(s.glow.scale(smooth(0.1, -0.1, sun)))
	}
	return colour
}

// facing is the longitude of the body that looks at the eye.
func (b *body) facing() float32 {
	d := b.frame.in(vec{0, 0, 1})
	return atan2(d.y, d.x)
}
