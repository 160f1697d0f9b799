package augment

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// Stage is one step of what [Pipeline.Explain] followed.
type Stage struct {
	Name  string  `json:"name"`           // of the transform, or "decoded", "geometry", "one pass"
	What  string  `json:"what,omitempty"` // the numbers drawn for it, or what it did
	Shape []int   `json:"shape"`
	Dtype string  `json:"dtype"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
	// Milliseconds is the time of this step alone, done by itself; the whole path in one pass, the
	// last entry, takes less than the sum.
	Milliseconds float64 `json:"milliseconds"`
}

// Explain follows one picture through every transform with the given numbers ([Pipeline.Draw] or
// [Neutral]): what each did, the shape, type and range of what came out, and how long it took. The
// last stage, "one pass", is what training runs.
func (p *Pipeline) Explain(pic *data.Picture, prm Params, layout Layout) ([]Stage, error) {
	w, err := p.NewWorker()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	e := &explainer{w: w, p: p, prm: prm}
	e.picture("decoded", "", pic, 0)
	item, err := e.sizes(pic)
	if err != nil {
		return nil, err
	}
	if err := e.geometry(item); err != nil {
		return nil, err
	}
	e.colours()
	if err := e.whole(pic, layout); err != nil {
		return nil, err
	}
	return e.stages, nil
}

type explainer struct {
	w      *Worker
	p      *Pipeline
	prm    Params
	stages []Stage
	planes []float32
}

func (e *explainer) picture(name, what string, pic *data.Picture, d time.Duration) {
	s := Stage{Name: name, What: what, Shape: []int{pic.Height, pic.Width, 3}, Dtype: "uint8", Min: math.Inf(1), Max: math.Inf(-1)}
	for i, v := range pic.Pix {
		if i%4 != 3 {
			s.see(float64(v), len(pic.Pix)/4*3)
		}
	}
	e.add(s, d)
}

func (e *explainer) floats(name, what string, shape []int, v []float32, d time.Duration) {
	s := Stage{Name: name, What: what, Shape: shape, Dtype: "float32", Min: math.Inf(1), Max: math.Inf(-1)}
	for _, x := range v {
		s.see(float64(x), len(v))
	}
	e.add(s, d)
}

func (s *Stage) see(v float64, n int) {
	s.Min, s.Max, s.Mean = min(s.Min, v), max(s.Max, v), s.Mean+v/float64(n)
}

func (e *explainer) add(s Stage, d time.Duration) {
	s.Milliseconds = float64(d) / float64(time.Millisecond)
	e.stages = append(e.stages, s)
}

// sizes follows the sizing stage and the 8-bit operations.
func (e *explainer) sizes(pic *data.Picture) (*data.Picture, error) {
	for _, t := range e.p.sizes {
		var what []string
		start := time.Now()
		for _, c := range cuts(t, pic.Width, pic.Height, e.prm) {
			what = append(what, fmt.Sprintf("%dx%d at (%d,%d) of %dx%d", c.r.Dx(), c.r.Dy(), c.r.Min.X, c.r.Min.Y, pic.Width, pic.Height))
			if c.r.Min.X < 0 || c.r.Min.Y < 0 || c.r.Max.X > pic.Width || c.r.Max.Y > pic.Height {
				what[len(what)-1] += ", padded with " + c.pad
				pic = e.w.padded(pic, c)
				c.r = c.r.Sub(c.r.Min)
			}
			var err error
			if pic, err = e.w.carryOut(pic, c); err != nil {
				return nil, err
			}
		}
		e.picture(t.Name(), strings.Join(what, "; then "), pic, time.Since(start))
	}
	for _, op := range e.prm.Ops {
		start := time.Now()
		out := e.w.picture(pic.Width, pic.Height)
		if operate(out, pic, op) {
			pic = out
		}
		e.picture(e.p.bytes.Name(), fmt.Sprintf("%s %.3g", op.Name, op.Magnitude), pic, time.Since(start))
	}
	return pic, nil
}

// geometry follows the area step and the one sampling, without colours.
func (e *explainer) geometry(item *data.Picture) error {
	area := e.p.AreaStep([]Params{e.prm})
	var what []string
	for _, t := range e.p.affine {
		what = append(what, e.drawn(t))
	}
	if e.prm.WarpX != 0 || e.prm.WarpY != 0 {
		what = append(what, fmt.Sprintf("warp x %.3f, y %.3f", e.prm.WarpX, e.prm.WarpY))
	}
	if area {
		what = append(what, fmt.Sprintf("area resize to %dx%d first", e.p.areaSide, e.p.areaSide))
	}
	// The item is there already: sample it as it is, whatever the pixels' arithmetic.
	exact := *e.p
	exact.pixels = Exact
	job := exact.job(cut{r: centred(item.Width, item.Height, item.Width)}, e.prm, area)
	e.planes = newPlanes(e.p.Elements())
	start := time.Now()
	if err := e.run(item, &job); err != nil {
		return err
	}
	n := e.p.size
	e.floats("geometry", strings.Join(what, "; "), []int{3, n, n}, e.planes, time.Since(start))
	return nil
}

func (e *explainer) run(pic *data.Picture, job *kernel.Job) error {
	job.Layout, job.Dtype = kernel.NCHW, kernel.Float32
	return e.w.k.Run(pic.Pix, pic.Width, pic.Height, job, pointer(e.planes))
}

// drawn says in words what was drawn for a transform.
func (e *explainer) drawn(t Transform) string {
	p := e.prm
	switch t.(type) {
	case Flip, AlternatingFlip:
		if p.Flip {
			return "flipped"
		}
		return "not flipped"
	case Shift:
		half := float64(e.p.size-1) / 2
		return fmt.Sprintf("shift %.0f right, %.0f down", -p.ShiftX*half, -p.ShiftY*half)
	case Dihedral:
		return fmt.Sprintf("symmetry %d", p.Dihedral)
	case Rotate:
		return fmt.Sprintf("rotate %.1f degrees", p.Rotate)
	case Zoom:
		return fmt.Sprintf("zoom %.3f about (%.2f,%.2f)", p.Zoom, p.CenterX, p.CenterY)
	case Brightness:
		return fmt.Sprintf("b %.3f", p.Brightness)
	case Contrast:
		return fmt.Sprintf("factor %.3f", p.Contrast)
	case Saturation:
		return fmt.Sprintf("factor %.3f", p.Saturation)
	case Hue:
		return fmt.Sprintf("%.3f turns", p.Hue)
	case Grayscale:
		return fmt.Sprintf("%v", p.Gray)
	case Blur:
		return fmt.Sprintf("sigma %.2f", p.Sigma)
	}
	return ""
}

// colours follows what comes after the sampling, transform by transform.
func (e *explainer) colours() {
	n := e.p.size
	shape := []int{3, n, n}
	spare := make([]float32, len(e.planes))
	for _, t := range e.p.colour {
		start := time.Now()
		if lit(t) {
			e.w.light(e.planes, []Transform{t}, e.prm)
		} else {
			recolour(e.planes, spare, n, t, e.prm)
		}
		e.floats(t.Name(), e.drawn(t), shape, e.planes, time.Since(start))
	}
	if e.p.scale != [3]float32{1, 1, 1} || e.p.shift != [3]float32{} {
		start := time.Now()
		e.w.normalize(e.planes)
		e.floats("normalize", "", shape, e.planes, time.Since(start))
	}
	if len(e.prm.Erase) > 0 {
		start := time.Now()
		eraseAll(e.planes, n, e.prm)
		e.floats("random_erasing", fmt.Sprint(e.prm.Erase), shape, e.planes, time.Since(start))
	}
}

// whole times the one pass; the first call, which makes the scratch memory, does not count.
func (e *explainer) whole(pic *data.Picture, layout Layout) error {
	out := make([]float32, e.p.Elements())
	area := e.p.AreaStep([]Params{e.prm})
	var took time.Duration
	for range 2 {
		start := time.Now()
		if err := e.w.Apply(out, pic, e.prm, area, layout); err != nil {
			return err
		}
		took = time.Since(start)
	}
	n := e.p.size
	shape := []int{3, n, n}
	if layout == NHWC {
		shape = []int{n, n, 3}
	}
	e.floats("one pass", "all of the above, "+e.p.pixels.String()+" pixels", shape, out, took)
	return nil
}

// Warnings says what about a training set of these sizes deserves a word before hours are spent:
// pictures smaller than the square they are resized to, batches that hold nothing.
func (p *Pipeline) Warnings(widths, heights []int) []string {
	var out []string
	small := 0
	for i := range widths {
		if min(widths[i], heights[i]) < p.size {
			small++
		}
	}
	if small > 0 {
		out = append(out, fmt.Sprintf("%d of %d pictures are smaller than %dx%d and are enlarged", small, len(widths), p.size, p.size))
	}
	if p.item < p.size {
		out = append(out, fmt.Sprintf("pictures are resized to %d and then enlarged to %d: raise the item size", p.item, p.size))
	}
	return out
}
