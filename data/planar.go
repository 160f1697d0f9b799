package data

import (
	"errors"

	"github.com/wangkuiyi/orrery/data/internal/turbojpeg"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// decodePlanar is DecodeInto for a JPEG that is scaled and needs no more than Quick: its planes are scaled as the file
// holds them, colour in fewer samples, and only what is left becomes pixels. done is false where that is not
// possible or not asked for, and nothing has happened then.
func decodePlanar(p *Picture, b []byte, h Header, o DecodeOptions) (done bool, err error) {
	if h.Format != "jpeg" || !o.Quick || h.ink || o.JPEG != nil {
		return false, nil
	}
	d := h.shrink(o)
	w, ht := (h.Width+d-1)/d, (h.Height+d-1)/d
	smallW, smallH := shortSide(w, ht, o.ShortSide)
	if smallW == w && smallH == ht {
		return false, nil
	}
	sampling, ok := turbojpeg.Planar(b)
	if !ok {
		return false, nil
	}
	where, n := sampling.Planes(w, ht)
	full, release := p.between()
	defer release()
	full.grow(n + Padding)
	if err := turbojpeg.DecodePlanes(full.Pix[:n], b, w, ht, d == 1, sampling); err != nil {
		return false, err
	}
	var planes [3]kernel.Plane
	for i, s := range where {
		planes[i] = kernel.Plane{Pix: full.Pix[s.Start:n], Width: s.Width, Height: s.Height, Pitch: s.Pitch,
			SpanW: float64(h.Width) / float64(d*s.PerX), SpanH: float64(h.Height) / float64(d*s.PerY)}
	}
	k, err := scaler()
	if err != nil {
		return false, err
	}
	defer scalers.Put(k)
	turn := h.turn(o)
	small := p
	if turn != 1 {
		small = &Picture{}
	}
	small.reset(smallW, smallH)
	if err := k.ScalePlanes(planes, smallW, smallH, small.Pix); err != nil {
		if errors.Is(err, kernel.ErrPlanes) {
			err = nil
		}
		return false, err
	}
	if turn != 1 {
		orient(p, small, turn)
	}
	return true, nil
}
