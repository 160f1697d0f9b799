package report

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	ximage "golang.org/x/image/draw"
)

// Grid lays pictures out as fastai's show_batch does: white ground, no axes,
// each picture fitted into a square of cell pixels with its title centred
// above. A title may have several lines; titles beyond the last are blank.
// Columns of 0 or less makes the grid as square as it can be. No pictures give
// a blank image of one cell.
func Grid(pictures []image.Image, titles []string, columns, cell int) image.Image {
	cell = max(cell, 16)
	n := max(len(pictures), 1)
	if columns <= 0 {
		for columns = 1; columns*columns < n; columns++ {
		}
	}
	columns = min(columns, n)
	rows := (n + columns - 1) / columns
	gap := max(cell/20, 4)
	face := titleFace(float64(cell) / 13)
	lineHeight := face.Metrics().Height.Ceil()
	lines := 0
	for _, title := range titles {
		lines = max(lines, strings.Count(title, "\n")+1)
	}
	header := lines*lineHeight + gap/2
	canvas := image.NewRGBA(image.Rect(0, 0, columns*(cell+gap)+gap, rows*(header+cell+gap)+gap))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	for i, picture := range pictures {
		left, top := gap+i%columns*(cell+gap), gap+i/columns*(header+cell+gap)
		if i < len(titles) {
			drawTitle(canvas, face, titles[i], left-gap/2, top, cell+gap, lines, lineHeight)
		}
		fit(canvas, picture, image.Rect(left, top+header, left+cell, top+header+cell))
	}
	return canvas
}

// fit draws a picture into the middle of a box, its aspect ratio kept.
func fit(canvas *image.RGBA, picture image.Image, box image.Rectangle) {
	size := picture.Bounds().Size()
	if size.X <= 0 || size.Y <= 0 {
		return
	}
	w, h := box.Dx(), box.Dy()
	if size.X >= size.Y {
		h = max(1, (w*size.Y+size.X/2)/size.X)
	} else {
		w = max(1, (h*size.X+size.Y/2)/size.Y)
	}
	at := box.Min.Add(image.Pt((box.Dx()-w)/2, (box.Dy()-h)/2))
	to := image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))}
	if size == to.Size() {
		draw.Draw(canvas, to, picture, picture.Bounds().Min, draw.Over)
		return
	}
	ximage.CatmullRom.Scale(canvas, to, picture, picture.Bounds(), draw.Over, nil)
}

// drawTitle writes up to `lines` centred lines; a short title sits at the bottom of its space.
func drawTitle(canvas *image.RGBA, face font.Face, title string, left, top, width, lines, lineHeight int) {
	parts := strings.Split(title, "\n")
	ink := image.NewUniform(color.Gray{Y: 0x22})
	for i, part := range parts {
		part = ellipsis(face, printable(part), fixed.I(width))
		wide := font.MeasureString(face, part)
		baseline := top + (lines-len(parts)+i)*lineHeight + face.Metrics().Ascent.Ceil()
		d := font.Drawer{Dst: canvas, Src: ink, Face: face,
			Dot: fixed.Point26_6{X: fixed.I(left) + (fixed.I(width)-wide)/2, Y: fixed.I(baseline)}}
		d.DrawString(part)
	}
}

// ellipsis shortens a text in its middle until it is no wider than width: the
// ends of file names and of class names tell more than their middles.
func ellipsis(face font.Face, text string, width fixed.Int26_6) string {
	if font.MeasureString(face, text) <= width {
		return text
	}
	runes := []rune(text)
	for keep := len(runes) - 1; keep > 1; keep-- {
		head := (keep + 1) / 2
		shorter := string(runes[:head]) + "…" + string(runes[len(runes)-(keep-head):])
		if font.MeasureString(face, shorter) <= width {
			return shorter
		}
	}
	return "…"
}

// printable replaces control and format characters: they have no glyph, and
// could steer a terminal or turn the direction of the text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return ' '
		}
		return r
	}, text)
}

var goRegular = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

// titleFace is the Go font of a height in pixels; a plain bitmap one should it ever not parse.
func titleFace(pixels float64) font.Face {
	parsed, err := goRegular()
	if err == nil {
		var face font.Face
		face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: max(pixels, 9), DPI: 72, Hinting: font.HintingFull})
		if err == nil {
			return face
		}
	}
	return basicfont.Face7x13
}
