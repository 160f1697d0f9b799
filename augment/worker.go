package augment

import (
	"fmt"
	"image"
	"unsafe"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// Dtype is the element type of finished samples.
type Dtype int

const (
	Float32  Dtype = iota // [0, 1], then normalised
	BFloat16              // the same, rounded to the nearest
	Uint8                 // 0 to 255 without Normalize, which is left to whoever reads them
	Float16               // of [Pipeline.Gather] alone
	Shots                 // no pixels: plans, for pictures of a [Block]
)

// Bytes is the size of one element, of Shots that of one sample.
func (d Dtype) Bytes() int { return [...]int{4, 2, 1, 2, ShotBytes}[d] }

func (d Dtype) String() string {
	return [...]string{"float32", "bfloat16", "uint8", "float16", "shots"}[d]
}

// sample is the bytes of one sample of a pipeline.
func (d Dtype) sample(p *Pipeline) int {
	if d == Shots {
		return ShotBytes
	}
	return d.Bytes() * p.Elements()
}

// Worker applies a pipeline on one goroutine at a time; it owns native scratch memory until Close.
type Worker struct {
	p *Pipeline
	k *kernel.Worker

	own    [4]data.Picture // pictures between steps, used in turn
	turn   int
	planes []float32 // a sample as three planes, for what the native call leaves to do
	spare  []float32
}

// NewWorker makes a worker.
func (p *Pipeline) NewWorker() (*Worker, error) { return p.newWorker(kernel.Best()) }

func (p *Pipeline) newWorker(form kernel.Form) (*Worker, error) {
	k, err := kernel.NewWorker(form)
	if err != nil {
		return nil, err
	}
	return &Worker{p: p, k: k}, nil
}

// Close frees the worker's memory.
func (w *Worker) Close() { w.k.Close() }

// Apply makes one sample of pic in dst, which holds [Pipeline.Elements] values: [3, Size, Size] or
// [Size, Size, 3] by layout, in [0, 1] before normalisation. area is [Pipeline.AreaStep] of the
// batch the sample belongs to.
func (w *Worker) Apply(dst []float32, pic *data.Picture, prm Params, area bool, layout Layout) error {
	return w.ApplyAs(unsafe.Slice((*byte)(pointer(dst)), 4*len(dst)), Float32, pic, prm, area, layout)
}

// ApplyAs is Apply for any element type: dst holds [Pipeline.Elements] elements of it in the
// machine's byte order.
func (w *Worker) ApplyAs(dst []byte, dtype Dtype, pic *data.Picture, prm Params, area bool, layout Layout) error {
	if len(dst) != w.p.Elements()*dtype.Bytes() {
		return fmt.Errorf("augment: %d bytes for a sample of %d %v", len(dst), w.p.Elements(), dtype)
	}
	out := unsafe.Pointer(unsafe.SliceData(dst))
	pic, c, err := w.sized(pic, prm)
	if err != nil {
		return err
	}
	if len(prm.Ops) > 0 {
		if pic, err = w.operated(pic, c, prm.Ops); err != nil {
			return err
		}
		c = cut{r: image.Rect(0, 0, pic.Width, pic.Height)}
	}
	job := w.p.job(c, prm, area)
	job.Layout, job.Dtype = kernel.Layout(layout), kernel.Dtype(dtype)
	if w.p.direct {
		job.LightOffset, job.LightGain = lighting(w.p.colour, prm)
		if dtype != Uint8 {
			job.Scale, job.Shift = w.p.scale, w.p.shift
		}
		return w.k.Run(pic.Pix, pic.Width, pic.Height, &job, out)
	}
	if w.planes == nil {
		w.planes = newPlanes(w.p.Elements())
	}
	job.Layout, job.Dtype = kernel.NCHW, kernel.Float32
	if err := w.k.Run(pic.Pix, pic.Width, pic.Height, &job, pointer(w.planes)); err != nil {
		return err
	}
	w.finish(prm, dtype)
	job.Layout, job.Dtype = kernel.Layout(layout), kernel.Dtype(dtype)
	return w.k.Finish(w.planes, &job, out)
}

// finish runs the stages after the sampling over w.planes.
func (w *Worker) finish(prm Params, dtype Dtype) {
	if cap(w.spare) < len(w.planes) {
		w.spare = make([]float32, len(w.planes))
	}
	for i, t := range w.p.colour {
		// A run of lighting transforms shares one way to the logits and back.
		if lit(t) {
			if i == 0 || !lit(w.p.colour[i-1]) {
				end := i + 1
				for end < len(w.p.colour) && lit(w.p.colour[end]) {
					end++
				}
				w.light(w.planes, w.p.colour[i:end], prm)
			}
			continue
		}
		recolour(w.planes, w.spare, w.p.size, t, prm)
	}
	if dtype != Uint8 {
		w.normalize(w.planes)
	}
	eraseAll(w.planes, w.p.size, prm)
}

// normalize is x*scale + shift, channel by channel.
func (w *Worker) normalize(planes []float32) {
	n := len(planes) / 3
	for c := range 3 {
		scale, shift := w.p.scale[c], w.p.shift[c]
		if scale == 1 && shift == 0 {
			continue
		}
		for i := c * n; i < (c+1)*n; i++ {
			planes[i] = planes[i]*scale + shift
		}
	}
}

func pointer(v []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(v)) }

// newPlanes has the room behind its values that the kernels want.
func newPlanes(n int) []float32 { return make([]float32, n, n+8) }
