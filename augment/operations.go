package augment

import (
	"math"

	"github.com/wangkuiyi/orrery/data"
)

// Op is one 8-bit operation of RandAugment or TrivialAugment with its signed magnitude, as
// torchvision names them.
type Op struct {
	Name      string
	Magnitude float64
}

// space is what an augmentation may draw: torchvision's _AUGMENTATION_SPACE.
type space struct {
	name      string
	magnitude func(bin int) float64 // nil: it has none
	signed    bool
}

func (d drawer) operation(s []space, bin int) Op {
	one := s[d.IntN(len(s))]
	op := Op{Name: one.name}
	if one.magnitude != nil {
		op.Magnitude = one.magnitude(bin)
		if one.signed && d.Float64() <= 0.5 {
			op.Magnitude = -op.Magnitude
		}
	}
	return op
}

// augmentationSpace builds the table of both augmentations from the greatest magnitudes.
func augmentationSpace(bins int, shear, translate, rotate, colour, posterize float64) []space {
	linear := func(low, high float64) func(int) float64 {
		return func(bin int) float64 { return low + (high-low)*float64(bin)/float64(bins-1) }
	}
	bits := func(bin int) float64 { return math.RoundToEven(8 - float64(bin)/(float64(bins-1)/posterize)) }
	return []space{
		{"Identity", nil, false},
		{"ShearX", linear(0, shear), true},
		{"ShearY", linear(0, shear), true},
		{"TranslateX", linear(0, translate), true},
		{"TranslateY", linear(0, translate), true},
		{"Rotate", linear(0, rotate), true},
		{"Brightness", linear(0, colour), true},
		{"Color", linear(0, colour), true},
		{"Contrast", linear(0, colour), true},
		{"Sharpness", linear(0, colour), true},
		{"Posterize", bits, false},
		{"Solarize", linear(1, 0), false},
		{"AutoContrast", nil, false},
		{"Equalize", nil, false},
	}
}

func randSpace(side, bins int) []space {
	return augmentationSpace(bins, 0.3, 150.0/331.0*float64(side), 30, 0.9, 4)
}

func trivialSpace(bins int) []space { return augmentationSpace(bins, 0.99, 32, 135, 0.99, 6) }

// operated carries out the cut and the operations on a picture of the worker's own.
func (w *Worker) operated(pic *data.Picture, c cut, ops []Op) (*data.Picture, error) {
	item, err := w.carryOut(pic, c)
	if err != nil {
		return nil, err
	}
	if item == pic { // the source's: not ours to change
		item = w.picture(pic.Width, pic.Height)
		copy(item.Pix, pic.Pix)
	}
	for _, op := range ops {
		out := w.picture(item.Width, item.Height)
		if operate(out, item, op) {
			item = out
		}
	}
	return item, nil
}

// operate does one operation from in to out; false: in is the result.
func operate(out, in *data.Picture, op Op) bool {
	m := op.Magnitude
	switch op.Name {
	case "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate":
		moved(out, in, op)
	case "Brightness":
		eachByte(out, in, func(v float32) float32 { return v * float32(1+m) })
	case "Color":
		blended(out, in, 1+m, func(i int) float32 { return grey(in.Pix[i:]) })
	case "Contrast":
		var sum float64
		for i := 0; i < len(in.Pix); i += 4 {
			sum += float64(grey(in.Pix[i:]))
		}
		mean := float32(sum / float64(len(in.Pix)/4))
		blended(out, in, 1+m, func(int) float32 { return mean })
	case "Sharpness":
		return sharpened(out, in, float32(1+m))
	case "Posterize":
		if m >= 8 {
			return false
		}
		mask := uint8(0xff << (8 - int(m)))
		table(out, in, func(v int) uint8 { return uint8(v) & mask })
	case "Solarize":
		table(out, in, func(v int) uint8 {
			if float64(v) >= 255*m {
				return uint8(255 - v)
			}
			return uint8(v)
		})
	case "AutoContrast":
		stretched(out, in)
	case "Equalize":
		equalized(out, in)
	default:
		return false
	}
	return true
}

// grey is the luma without its fraction.
func grey(p []uint8) float32 {
	v := addScaled(addScaled(float32(p[0])*luma[0], float32(p[1]), luma[1]), float32(p[2]), luma[2])
	return float32(math.Floor(float64(v)))
}

// addScaled is a + b*scale rounded once, as PyTorch's vectorised add with alpha does.
func addScaled(a, b, scale float32) float32 {
	return float32(math.FMA(float64(b), float64(scale), float64(a)))
}

func toByte(v float32) uint8 { return uint8(min(max(v, 0), 255)) }

func eachByte(out, in *data.Picture, f func(float32) float32) {
	table(out, in, func(v int) uint8 { return toByte(f(float32(v))) })
}

// table maps all colours through a function of one byte.
func table(out, in *data.Picture, f func(v int) uint8) {
	var lut [256]uint8
	for v := range lut {
		lut[v] = f(v)
	}
	channels(out, in, [3]*[256]uint8{&lut, &lut, &lut})
}

func channels(out, in *data.Picture, lut [3]*[256]uint8) {
	for i := 0; i < len(in.Pix); i += 4 {
		out.Pix[i], out.Pix[i+1], out.Pix[i+2], out.Pix[i+3] = lut[0][in.Pix[i]], lut[1][in.Pix[i+1]], lut[2][in.Pix[i+2]], 255
	}
}

// blended is in*ratio + other*(1-ratio), cut off at 0 and 255, without its fraction.
func blended(out, in *data.Picture, ratio float64, other func(i int) float32) {
	for i := 0; i < len(in.Pix); i += 4 {
		o := other(i)
		for c := range 3 {
			out.Pix[i+c] = toByte(addScaled(float32(in.Pix[i+c])*float32(ratio), o, float32(1-ratio)))
		}
		out.Pix[i+3] = 255
	}
}

// sharpened blends with a 3x3 smoothing (weights 1 around 5, over 13); the border stays.
func sharpened(out, in *data.Picture, ratio float32) bool {
	if in.Width <= 2 || in.Height <= 2 {
		return false
	}
	copy(out.Pix, in.Pix)
	stride := 4 * in.Width
	for y := 1; y < in.Height-1; y++ {
		for x := 1; x < in.Width-1; x++ {
			at := y*stride + 4*x
			for c := range 3 {
				sum := 4 * int(in.Pix[at+c])
				for dy := -stride; dy <= stride; dy += stride {
					for dx := -4; dx <= 4; dx += 4 {
						sum += int(in.Pix[at+c+dy+dx])
					}
				}
				v := float32(in.Pix[at+c])
				smooth := float32(math.RoundToEven(float64(sum) / 13))
				out.Pix[at+c] = toByte(v + (smooth-v)*(1-ratio))
			}
		}
	}
	return true
}

// stretched spreads each channel over 0 to 255.
func stretched(out, in *data.Picture) {
	var luts [3][256]uint8
	for c := range 3 {
		low, high := 255, 0
		for i := c; i < len(in.Pix); i += 4 {
			low, high = min(low, int(in.Pix[i])), max(high, int(in.Pix[i]))
		}
		for v := range luts[c] {
			luts[c][v] = uint8(v)
			if high > low {
				scale := float32(high-low) * float32(1.0/255)
				luts[c][v] = toByte(float32(v-low) / scale)
			}
		}
	}
	channels(out, in, [3]*[256]uint8{&luts[0], &luts[1], &luts[2]})
}

// equalized flattens each channel's histogram as Pillow's ImageOps.equalize does.
func equalized(out, in *data.Picture) {
	var luts [3][256]uint8
	n := len(in.Pix) / 4
	for c := range 3 {
		var count [256]int
		most := 0
		for i := c; i < len(in.Pix); i += 4 {
			count[in.Pix[i]]++
			most = max(most, int(in.Pix[i]))
		}
		step := (n - count[most]) / 255
		below := 0
		for v := range luts[c] {
			luts[c][v] = uint8(v)
			if step > 0 {
				luts[c][v] = uint8(min((below+step/2)/step, 255))
			}
			below += count[v]
		}
	}
	channels(out, in, [3]*[256]uint8{&luts[0], &luts[1], &luts[2]})
}

// moved is torchvision's affine and rotate with the nearest pixel, black outside.
func moved(out, in *data.Picture, op Op) {
	w, h := float64(in.Width), float64(in.Height)
	// The inverse map, in pixels from the centre.
	a := [6]float64{1, 0, 0, 0, 1, 0}
	switch op.Name {
	case "ShearX": // about the top left corner
		a[1] = op.Magnitude
		a[2] = op.Magnitude * h / 2
	case "ShearY":
		a[3] = op.Magnitude
		a[5] = op.Magnitude * w / 2
	case "TranslateX":
		a[2] = -math.Trunc(op.Magnitude)
	case "TranslateY":
		a[5] = -math.Trunc(op.Magnitude)
	case "Rotate": // counter-clockwise
		sin, cos := math.Sincos(-op.Magnitude * math.Pi / 180)
		a = [6]float64{cos, sin, 0, -sin, cos, 0}
	}
	for y := range in.Height {
		v := float64(y) - (h-1)/2
		for x := range in.Width {
			u := float64(x) - (w-1)/2
			// The centre of pixel 0 is half a pixel inside.
			fx := nearestPixel(a[0]*u+a[1]*v+a[2], w)
			fy := nearestPixel(a[3]*u+a[4]*v+a[5], h)
			to := out.Pix[4*(y*in.Width+x):]
			if fx < 0 || fy < 0 || fx >= w || fy >= h {
				to[0], to[1], to[2], to[3] = 0, 0, 0, 255
				continue
			}
			copy(to[:4], in.Pix[4*(int(fy)*in.Width+int(fx)):])
		}
	}
}

// nearestPixel is grid_sample's choice for a coordinate from the centre, in its 32-bit arithmetic.
func nearestPixel(c, n float64) float64 {
	g := float32(c) / float32(n/2)
	return math.RoundToEven(float64(((g+1)*float32(n) - 1) / 2))
}
