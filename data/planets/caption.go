package planets

import (
	"image"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// fonts are the Go fonts, which come with golang.org/x/image.
var fonts = sync.OnceValues(func() ([]*opentype.Font, error) {
	var all []*opentype.Font
	for _, ttf := range [][]byte{gobold.TTF, goregular.TTF, goitalic.TTF, gomono.TTF} {
		f, err := opentype.Parse(ttf)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
})

// text draws one line with its baseline starting at x, y and its letters size
// pixels tall, turned by angle. It returns the width in pixels.
func text(c *canvas, which int, s string, x, y, size, angle float32, colour rgb, alpha float32) (float32, error) {
	all, err := fonts()
	if err != nil {
		return 0, err
	}
	face, err := opentype.NewFace(all[which], &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return 0, err
	}
	defer face.Close()
	width := font.MeasureString(face, s).Ceil()
	ascent := face.Metrics().Ascent.Ceil()
	mask := image.NewAlpha(image.Rect(0, 0, width+2, ascent+face.Metrics().Descent.Ceil()+2))
	d := font.Drawer{Dst: mask, Src: image.Opaque, Face: face, Dot: fixed.P(1, ascent)}
	d.DrawString(s)
	w, h := mask.Rect.Dx(), mask.Rect.Dy()
	if angle == 0 {
		for j := range h {
			for i := range w {
				if a := mask.Pix[j*mask.Stride+i]; a != 0 {
					c.blend(int(x)+i, int(y)-ascent+j, colour, alpha*float32(a)/255)
				}
			}
		}
		return float32(width), nil
	}
	co, si := cos(angle), sin(angle)
	x0, y0, x1, y1 := c.box(x, y, float32(w+h))
	for py := y0; py < y1; py++ {
		for px := x0; px < x1; px++ {
			dx, dy := float32(px)-x, float32(py)-y
			i, j := int(dx*co+dy*si), int(dy*co-dx*si)+ascent
			if i >= 0 && j >= 0 && i < w && j < h {
				c.blend(px, py, colour, alpha*float32(mask.Pix[j*mask.Stride+i])/255)
			}
		}
	}
	return float32(width), nil
}

var titles = [][]string{
	{"EARTH", "Planet Earth", "Earth", "The Blue Marble", "Our Home", "Earth Day"},
	{"JUPITER", "Jupiter", "King of Planets", "The Gas Giant", "Great Red Spot", "Jove"},
	{"NEPTUNE", "Neptune", "The Ice Giant", "Planet 8", "Windy World", "Neptune 1989"},
	{"SATURN", "Saturn", "Lord of the Rings", "The Ringed Planet", "Cassini", "Saturn V"},
}

var phrases = []string{
	"The Solar System", "SPACE", "Astronomy Today", "Lesson 4", "Fact sheet", "Photo: archive", "Figure 3.2", "DAILY NEWS",
	"Wallpaper HD", "stock photo", "Composite image", "Enhanced colour", "12 Aug 1998 03:14 UT", "f/10 2400 mm", "Seeing 6/10", "not to scale",
	"Explore", "Voyage to the planets", "4K", "Diameter 49 244 km", "Click to enlarge", "Issue 27", "Credit: observatory", "Gas giants", "preview",
}

var watermarks = []string{"SAMPLE", "stockpix", "preview", "(c) photobank", "dreamshot", "No. 482913", "alamode"}

// caption writes on a picture what people write on pictures.
func caption(r random, c *canvas, truth int) error {
	short := c.short()
	line := func() string {
		if r.chance(0.45) {
			return pick(r, titles[truth]...)
		}
		if r.chance(0.2) {
			return pick(r, titles[r.IntN(len(titles))]...)
		}
		return pick(r, phrases...)
	}
	light := pick(r, hex(0xffffff), hex(0xffffff), hex(0xffe27a), hex(0xd0d8e8), hex(0x101010), hsv(r.Float32(), 0.7, 1))
	var err error
	write := func(which int, s string, x, y, size, angle float32, colour rgb, alpha float32) {
		if err == nil {
			_, err = text(c, which, s, x, y, size, angle, colour, alpha)
		}
	}
	w, h := float32(c.w), float32(c.h)
	switch r.weighted(0.3, 0.25, 0.2, 0.15, 0.1) {
	case 0: // a small line in a corner
		write(r.IntN(4), line(), pick(r, 0.03*w, 0.55*w), pick(r, 0.07*h, 0.96*h), short*r.between(0.03, 0.06), 0, light, 0.9)
	case 1: // a title
		write(r.IntN(3), line(), r.between(0.03, 0.3)*w, pick(r, 0.16*h, 0.92*h), short*r.between(0.08, 0.16), 0, light, 1)
	case 2: // a watermark across
		s, size, alpha := pick(r, watermarks...), short*r.between(0.06, 0.14), r.between(0.15, 0.45)
		for y := float32(0.1); y < 1.2; y += r.between(0.25, 0.6) {
			write(0, s, r.between(0, 0.4)*w, y*h, size, -r.between(0.2, 0.6), hex(0xffffff), alpha)
		}
	case 3: // a bar with text
		height := int(h * r.between(0.08, 0.16))
		top := pick(r, 0, c.h-height)
		c.rect(0, top, c.w, top+height, hsv(r.Float32(), r.between(0, 0.8), r.between(0, 1)), r.between(0.6, 1))
		write(r.IntN(4), line(), 0.03*w, float32(top)+float32(height)*0.7, float32(height)*0.55, 0, light, 1)
	case 4: // a column of facts
		size, x := short*r.between(0.03, 0.045), pick(r, 0.03*w, 0.6*w)
		for i := range 3 + r.IntN(5) {
			write(3, line(), x, h*0.15+float32(i)*size*1.5, size, 0, light, 0.9)
		}
	}
	return err
}
