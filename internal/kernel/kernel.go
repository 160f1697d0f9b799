// Package kernel is the native pixel work of packages data and augment: Pillow's resize, PyTorch's area
// resize, one projective sampling, lighting, and the output in a batch's layout. It draws nothing
// and decides nothing: a [Job] says what to do.
package kernel

/*
#cgo CFLAGS: -std=c11 -O3
#cgo LDFLAGS: -lm
#include <stdlib.h>
#include "kernel.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Filter is the one of a resize.
type Filter int32

// Dtype is the element type of an output.
type Dtype int32

// Layout is the order of an output's dimensions.
type Layout int32

const (
	Bilinear Filter = C.ORR_BILINEAR
	Bicubic  Filter = C.ORR_BICUBIC

	Float32  Dtype = C.ORR_F32
	BFloat16 Dtype = C.ORR_BF16
	Uint8    Dtype = C.ORR_U8

	NCHW Layout = C.ORR_NCHW
	NHWC Layout = C.ORR_NHWC
)

// Pad is the number of readable bytes a picture needs after its last pixel.
const Pad = 64

// Job says what happens to one picture; all sizes are in pixels.
type Job struct {
	CropX, CropY, CropW, CropH int    // a whole-pixel crop inside the picture
	ItemW, ItemH               int    // Pillow's resize of the crop; 0: none
	Filter                     Filter // of that resize
	AreaW, AreaH               int    // area resize of what came before; 0: none
	OutW, OutH                 int
	Layout                     Layout
	Dtype                      Dtype
	// Homography takes (column, row, 1) of an output pixel to homogeneous coordinates in the sampled
	// picture, relative to (LowX, LowY); they fold into [Low, Low+Span].
	Homography               [9]float64
	LowX, LowY, SpanX, SpanY float64
	// Lighting is sigmoid((logit(x)+LightOffset)*LightGain); 0 and 1 leave the picture alone.
	LightOffset, LightGain float64
	// Quick takes 15 bits of precision, and up to 1/255 of error in the lighting, for more speed.
	Quick        bool
	Scale, Shift [3]float32 // x*Scale+Shift per channel, after everything else
}

// Form is one of the ways the kernels are compiled; their results are within 1/255 of each other.
type Form int32

// The forms, in rising order. AVX512 has a way of its own for jobs with Quick.
const (
	Scalar Form = C.ORR_SCALAR
	AVX2   Form = C.ORR_AVX2
	AVX512 Form = C.ORR_AVX512
)

func (f Form) String() string { return [...]string{"scalar", "avx2", "avx512"}[f] }

// Best is the highest form that this machine runs.
func Best() Form { return Form(C.orr_best_form()) }

// Worker holds the scratch memory of one thread at a time.
type Worker struct{ c *C.orr_worker }

// NewWorker makes a worker that uses no higher form than the given one. Close frees it.
func NewWorker(form Form) (*Worker, error) {
	c := C.orr_worker_new(C.int(form))
	if c == nil {
		return nil, errors.New("kernel: no memory for a worker")
	}
	return &Worker{c}, nil
}

// Close frees the worker's memory. A second call does nothing.
func (w *Worker) Close() {
	C.orr_worker_free(w.c)
	w.c = nil
}

// Run makes one sample from width*height RGBX pixels. out must hold 3*OutW*OutH elements of the
// job's dtype; the caller answers for that.
func (w *Worker) Run(pix []uint8, width, height int, job *Job, out unsafe.Pointer) error {
	if err := check(pix, width, height); err != nil {
		return err
	}
	j := job.c()
	return status(C.orr_run(w.c, (*C.uint8_t)(&pix[0]), C.int32_t(width), C.int32_t(height), &j, out))
}

// Resize does the Pillow resize of the job alone, to ItemW*ItemH RGBX pixels in out, which has Pad
// bytes behind them.
func (w *Worker) Resize(pix []uint8, width, height int, job *Job, out []uint8) error {
	if err := check(pix, width, height); err != nil {
		return err
	}
	if job.ItemW < 1 || job.ItemH < 1 || len(out) < 4*job.ItemW*job.ItemH || cap(out) < 4*job.ItemW*job.ItemH+Pad {
		return fmt.Errorf("kernel: resize to %dx%d in %d bytes (capacity %d)", job.ItemW, job.ItemH, len(out), cap(out))
	}
	j := job.c()
	return status(C.orr_resize(w.c, (*C.uint8_t)(&pix[0]), C.int32_t(width), C.int32_t(height), &j, (*C.uint8_t)(&out[0])))
}

// Plane holds the samples of one component of a JPEG, rows of Pitch bytes, with Pad bytes behind them. The picture
// is SpanW by SpanH samples, from the top left: of the last column and row it may have a part.
type Plane struct {
	Pix                  []uint8
	Width, Height, Pitch int
	SpanW, SpanH         float64
}

// ErrPlanes says that ScalePlanes has not bits enough to make something so much smaller, or that the planes are of no
// one picture.
var ErrPlanes = errors.New("kernel: the planes do not fit each other or are too large for this scaling")

// ScalePlanes scales Y, Cb and Cr to width*height by a triangle filter in 15 bits, Resize's within one
// level, and writes RGBX pixels. Cb and Cr have one size, of as many samples as Y or fewer.
func (w *Worker) ScalePlanes(planes [3]Plane, width, height int, out []uint8) error {
	if width < 1 || height < 1 || len(out) < 4*width*height {
		return fmt.Errorf("kernel: planes scaled to %dx%d in %d bytes", width, height, len(out))
	}
	var c [3]C.orr_plane
	var pin runtime.Pinner
	defer pin.Unpin()
	for i, p := range planes {
		if p.Width < 1 || p.Height < 1 || p.Pitch < p.Width || len(p.Pix) < p.Pitch*p.Height || cap(p.Pix) < p.Pitch*p.Height+Pad {
			return fmt.Errorf("kernel: %d bytes (capacity %d) hold no plane of %dx%d, pitch %d, with %d bytes behind it",
				len(p.Pix), cap(p.Pix), p.Width, p.Height, p.Pitch, Pad)
		}
		pin.Pin(&p.Pix[0])
		c[i] = C.orr_plane{pix: (*C.uint8_t)(&p.Pix[0]), width: C.int32_t(p.Width), height: C.int32_t(p.Height), pitch: C.int32_t(p.Pitch),
			span_w: C.double(p.SpanW), span_h: C.double(p.SpanH)}
	}
	if rc := C.orr_scale_planes(w.c, &c[0], C.int32_t(width), C.int32_t(height), (*C.uint8_t)(&out[0])); rc != C.ORR_BAD_JOB {
		return status(rc)
	}
	return ErrPlanes
}

// Finish does the last stage alone: scale and shift, layout and dtype, of three planes of OutW*OutH
// values. out is as for Run.
func (w *Worker) Finish(planes []float32, job *Job, out unsafe.Pointer) error {
	if len(planes) != 3*job.OutW*job.OutH || len(planes) == 0 {
		return fmt.Errorf("kernel: %d values for 3 planes of %dx%d", len(planes), job.OutW, job.OutH)
	}
	j := job.c()
	return status(C.orr_finish(w.c, (*C.float)(&planes[0]), &j, out))
}

// Logit replaces the values by their logits, clamped to [1e-7, 1-1e-7] first. cap(v) must be
// len(v) rounded up to 8; those behind len are overwritten.
func (w *Worker) Logit(v []float32) {
	if w.whole(v) {
		C.orr_logit(w.c, (*C.float)(&v[0]), C.int64_t(len(v)))
	}
}

// Sigmoid takes logits back; v is as for Logit.
func (w *Worker) Sigmoid(v []float32) {
	if w.whole(v) {
		C.orr_sigmoid(w.c, (*C.float)(&v[0]), C.int64_t(len(v)))
	}
}

// whole says whether v is not empty. It panics, as an index out of range would, without the room.
func (w *Worker) whole(v []float32) bool {
	if len(v) == 0 {
		return false
	}
	_ = v[:(len(v)+7)&^7]
	return true
}

func check(pix []uint8, width, height int) error {
	if width < 1 || height < 1 || cap(pix) < 4*width*height+Pad || len(pix) < 4*width*height {
		return fmt.Errorf("kernel: %d bytes (capacity %d) hold no RGBX picture of %dx%d with %d bytes behind it",
			len(pix), cap(pix), width, height, Pad)
	}
	return nil
}

func status(rc C.int) error {
	switch rc {
	case C.ORR_OK:
		return nil
	case C.ORR_NO_MEMORY:
		return errors.New("kernel: out of memory")
	}
	return errors.New("kernel: the crop lies outside the picture, or a size is not positive")
}

func (j *Job) c() C.orr_job {
	c := C.orr_job{
		crop_x: C.int32_t(j.CropX), crop_y: C.int32_t(j.CropY), crop_w: C.int32_t(j.CropW), crop_h: C.int32_t(j.CropH),
		item_w: C.int32_t(j.ItemW), item_h: C.int32_t(j.ItemH), filter: C.int32_t(j.Filter), area_w: C.int32_t(j.AreaW), area_h: C.int32_t(j.AreaH),
		out_w: C.int32_t(j.OutW), out_h: C.int32_t(j.OutH), layout: C.int32_t(j.Layout), dtype: C.int32_t(j.Dtype),
		low_x: C.float(j.LowX), low_y: C.float(j.LowY), span_x: C.float(j.SpanX), span_y: C.float(j.SpanY),
		light_offset: C.float(j.LightOffset), light_gain: C.float(j.LightGain),
	}
	if j.Quick {
		c.quick = 1
	}
	for i, v := range j.Homography {
		c.homography[i] = C.float(v)
	}
	for i := range 3 {
		c.scale[i], c.shift[i] = C.float(j.Scale[i]), C.float(j.Shift[i])
	}
	return c
}
