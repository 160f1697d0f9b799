package data

// orient writes src into dst so that a picture stored with EXIF orientation
// o (2..8) stands upright.
func orient(dst, src *Picture, o int) {
	w, h := src.Width, src.Height
	if o >= 5 {
		dst.reset(h, w)
	} else {
		dst.reset(w, h)
	}
	// The stored pixel x, y lands at index start + x*dx + y*dy of dst.
	var start, dx, dy int
	switch o {
	case 2: // mirrored
		start, dx, dy = w-1, -1, w
	case 3: // upside down
		start, dx, dy = w*h-1, -1, -w
	case 4: // mirrored and upside down
		start, dx, dy = (h-1)*w, 1, -w
	case 5: // transposed
		start, dx, dy = 0, h, 1
	case 6: // needs a quarter turn clockwise
		start, dx, dy = h-1, h, -1
	case 7: // transposed along the other diagonal
		start, dx, dy = w*h-1, -h, -1
	case 8: // needs a quarter turn counter-clockwise
		start, dx, dy = (w-1)*h, -h, 1
	}
	s := src.Pix
	for y := range h {
		at := 4 * (start + y*dy)
		for range w {
			copy(dst.Pix[at:at+4], s[:4])
			s = s[4:]
			at += 4 * dx
		}
	}
}
