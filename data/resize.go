package data

import (
	"runtime"
	"sync"

	"github.com/wangkuiyi/orrery/internal/kernel"
)

// Resize scales src to w x h pixels into dst, whose memory is reused where it
// suffices. The filter is a triangle over the source, widened when shrinking
// (bilinear, antialiased), in Pillow's 8-bit arithmetic. dst and src must
// differ. It fails without memory only.
func Resize(dst, src *Picture, w, h int) error { return resize(dst, src, w, h, false) }

// resize is Resize; quick computes in 15 bits, a few times as fast, within one level of it.
func resize(dst, src *Picture, w, h int, quick bool) error {
	dst.reset(w, h)
	if w == src.Width && h == src.Height {
		copy(dst.Pix, src.Pix)
		return nil
	}
	k, err := scaler()
	if err != nil {
		return err
	}
	defer scalers.Put(k)
	job := kernel.Job{CropW: src.Width, CropH: src.Height, ItemW: w, ItemH: h, Quick: quick}
	return k.Resize(src.Pix, src.Width, src.Height, &job, dst.Pix)
}

// scalers keeps kernel workers between calls. One dropped by the pool is freed
// by its finalizer.
var scalers sync.Pool

// scaler takes a worker from scalers, to which it is to be given back.
func scaler() (*kernel.Worker, error) {
	if k, ok := scalers.Get().(*kernel.Worker); ok {
		return k, nil
	}
	k, err := kernel.NewWorker(kernel.Best())
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(k, (*kernel.Worker).Close)
	return k, nil
}

// middle keeps pictures that are needed for the length of a call.
var middle = sync.Pool{New: func() any { return &Picture{} }}

// between returns a picture to hold what comes before p, until release is called.
func (p *Picture) between() (full *Picture, release func()) {
	if p.room != nil {
		return &p.room.full, func() {}
	}
	full = middle.Get().(*Picture)
	return full, func() { middle.Put(full) }
}

// shortSide scales w x h so that the shorter becomes short; smaller pictures
// and short 0 leave them.
func shortSide(w, h, short int) (int, int) {
	m := min(w, h)
	if short <= 0 || m <= short {
		return w, h
	}
	scale := func(v int) int { return max((v*short+m/2)/m, 1) }
	return scale(w), scale(h)
}

// scaledTo makes a picture in p by decode and scales it to the short side.
func scaledTo(p *Picture, short int, decode func(*Picture) error) error {
	if short <= 0 {
		return decode(p)
	}
	full, release := p.between()
	defer release()
	if err := decode(full); err != nil {
		return err
	}
	if w, h := shortSide(full.Width, full.Height, short); w != full.Width || h != full.Height {
		return resize(p, full, w, h, true)
	}
	p.reset(full.Width, full.Height) // p's memory may belong to a cache: it is not to be exchanged
	copy(p.Pix, full.Pix)
	return nil
}
