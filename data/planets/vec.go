package planets

import "math"

// vec is a point or direction. In the view frame x is right, y up and z towards
// the eye; in a body's frame z is its spin axis.
type vec struct{ x, y, z float32 }

func (a vec) add(b vec) vec              { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) scale(s float32) vec        { return vec{a.x * s, a.y * s, a.z * s} }
func (a vec) dot(b vec) float32          { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) cross(b vec) vec            { return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x} }
func (a vec) length() float32            { return sqrt(a.dot(a)) }
func (a vec) unit() vec                  { return a.scale(1 / max(a.length(), 1e-9)) }
func (a vec) along(d vec, t float32) vec { return a.add(d.scale(t)) }

// frame holds a body's axes, given in the view frame.
type frame struct{ x, y, z vec }

// in turns a vector of the view frame into the body's.
func (f frame) in(v vec) vec { return vec{f.x.dot(v), f.y.dot(v), f.z.dot(v)} }

// newFrame returns the frame of a body whose north pole leans towards the eye by
// tilt and is turned clockwise by roll; meridian turns it about its axis.
// All in radians.
func newFrame(tilt, roll, meridian float32) frame {
	z := vec{sin(roll) * cos(tilt), cos(roll) * cos(tilt), sin(tilt)}
	x := z.cross(vec{cos(roll), -sin(roll), 0}).unit()
	y := z.cross(x)
	return frame{
		x: x.scale(cos(meridian)).add(y.scale(sin(meridian))),
		y: y.scale(cos(meridian)).add(x.scale(-sin(meridian))),
		z: z,
	}
}

// onSphere returns a direction, all equally likely.
func onSphere(r random) vec {
	z, a := r.between(-1, 1), r.between(0, 2*math.Pi)
	s := sqrt(1 - z*z)
	return vec{s * cos(a), s * sin(a), z}
}

const pi = math.Pi

func sqrt(x float32) float32     { return float32(math.Sqrt(float64(x))) }
func sin(x float32) float32      { return float32(math.Sin(float64(x))) }
func cos(x float32) float32      { return float32(math.Cos(float64(x))) }
func abs(x float32) float32      { return max(x, -x) }
func atan2(y, x float32) float32 { return float32(math.Atan2(float64(y), float64(x))) }

// clamp holds x in 0..1. (The built-in min and max take longer: they mind NaN.)
func clamp(x float32) float32 {
	if x < 0 {
		return 0
	}
	if x > 1 {
		return 1
	}
	return x
}

func lerp(a, b, t float32) float32 { return a + (b-a)*t }

// smooth rises from 0 at low to 1 at high.
func smooth(low, high, x float32) float32 {
	t := clamp((x - low) / (high - low))
	return t * t * (3 - 2*t)
}
