package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

// The reasons a picture is not answered that are the server's, not the picture's.
var (
	errFull = errors.New("too many pictures are waiting; try again in a moment")
	errLate = errors.New("the picture waited too long; try again in a moment")
)

// A badPicture is a file that cannot be read as a picture.
type badPicture struct{ error }

// A model is what pictures are put before, as *trainer.Saved is. All but
// Prediction is called from the goroutine that opened it.
type model interface {
	NewPreprocessor() (*trainer.Preprocessor, error)
	Logits(pixels []float32, n int) ([]float32, error)
	Prediction(name string, logits []float32, top int) trainer.Prediction
	GradCAM(name string, picture *data.Picture) (trainer.CAM, error)
	Close()
}

// A job is one preprocessed picture that waits for the network.
type job struct {
	ctx    context.Context
	pixels []float32   // lent by the works
	since  time.Time   // when it began to wait
	done   chan answer // holds one
}

type answer struct {
	logits []float32
	err    error
}

// works are the eyes and the brain.
type works struct {
	options  Options
	decode   data.DecodeOptions
	metrics  *metrics
	model    model
	elements int // of one preprocessed picture
	eyes     chan *eye
	ready    chan *job
	tasks    chan func() // what else the brain shall do
	onTheWay atomic.Int64
	buffers  sync.Pool // of *[]float32
	stop     chan struct{}
	stopped  chan struct{}
}

// An eye decodes and preprocesses one picture at a time.
type eye struct {
	preprocessor *trainer.Preprocessor
	picture      data.Picture // its memory is used again
}

// keptPicture is the most memory, in bytes, that an eye keeps between two pictures.
const keptPicture = 32 << 20

// start opens the model on a goroutine of its own, which computes until close.
func (w *works) start(open func() (model, error)) error {
	w.eyes, w.ready, w.tasks = make(chan *eye, w.options.eyes()), make(chan *job, w.options.Queue), make(chan func())
	w.stop, w.stopped = make(chan struct{}), make(chan struct{})
	opened := make(chan error)
	go w.think(open, opened)
	return <-opened
}

// close ends the works; no picture may be on its way.
func (w *works) close() {
	close(w.stop)
	<-w.stopped
}

// admit takes n pictures on, or refuses them all. leave gives their places back.
func (w *works) admit(n int) bool {
	if w.onTheWay.Add(int64(n)) > int64(w.options.Queue) {
		w.leave(n)
		return false
	}
	return true
}

func (w *works) leave(n int) { w.onTheWay.Add(int64(-n)) }

// full tells whether one more picture would be refused now.
func (w *works) full() bool { return w.onTheWay.Load() >= int64(w.options.Queue) }

// predict gives the logits of an admitted picture's file.
func (w *works) predict(ctx context.Context, file []byte) ([]float32, error) {
	j := &job{ctx: ctx, done: make(chan answer, 1)}
	err := w.see(ctx, func(e *eye) (err error) {
		j.pixels, err = w.look(e, file)
		return err
	})
	if err != nil {
		return nil, err
	}
	j.since = time.Now()
	select {
	case w.ready <- j:
	case <-ctx.Done(): // those given up before it fill the queue
		w.giveBack(j.pixels)
		return nil, context.Cause(ctx)
	}
	select {
	case a := <-j.done:
		return a.logits, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx) // the brain finds the job given up and takes its buffer back
	}
}

// explain gives Grad-CAM's view of an admitted picture's file.
func (w *works) explain(ctx context.Context, name string, file []byte) (cam trainer.CAM, err error) {
	picture := &data.Picture{}
	err = w.see(ctx, func(*eye) error { return w.open(picture, file) })
	if err != nil {
		return cam, err
	}
	done := make(chan struct{})
	task := func() {
		defer close(done)
		defer w.metrics.stage("explain")()
		cam, err = w.model.GradCAM(name, picture)
	}
	select {
	case w.tasks <- task:
		<-done
		return cam, err
	case <-ctx.Done():
		return cam, context.Cause(ctx)
	}
}

// see runs f with an eye once one is free.
func (w *works) see(ctx context.Context, f func(*eye) error) error {
	select {
	case e := <-w.eyes:
		defer func() { w.eyes <- e }()
		defer w.metrics.stage("look")()
		return f(e)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// open decodes a file.
func (w *works) open(picture *data.Picture, file []byte) error {
	if err := data.DecodeInto(picture, file, w.decode); err != nil {
		return badPicture{err}
	}
	return nil
}

// look decodes and preprocesses a file into memory of the works.
func (w *works) look(e *eye, file []byte) ([]float32, error) {
	if err := w.open(&e.picture, file); err != nil {
		return nil, err
	}
	pixels := w.buffer()
	err := e.preprocessor.Apply(pixels, &e.picture)
	if cap(e.picture.Pix) > keptPicture {
		e.picture = data.Picture{} // a rare giant does not stay
	}
	if err != nil {
		w.giveBack(pixels)
		return nil, badPicture{err}
	}
	return pixels, nil
}

func (w *works) buffer() []float32 {
	if b, ok := w.buffers.Get().(*[]float32); ok {
		return *b
	}
	return make([]float32, w.elements)
}

func (w *works) giveBack(b []float32) { w.buffers.Put(&b) }

// think is the brain: it opens the model and computes until stop.
func (w *works) think(open func() (model, error), opened chan<- error) {
	defer close(w.stopped)
	model, err := open() // locks the goroutine to its thread until Close
	if err != nil {
		opened <- err
		return
	}
	defer model.Close()
	for range cap(w.eyes) {
		p, err := model.NewPreprocessor()
		if err != nil {
			opened <- err
			return
		}
		defer p.Close()
		w.elements = p.Elements()
		w.eyes <- &eye{preprocessor: p}
	}
	w.model = model
	opened <- nil
	batch, pixels := make([]*job, 0, w.options.MaxBatch), make([]float32, 0, w.options.MaxBatch*w.elements)
	for {
		select {
		case j := <-w.ready:
			batch = w.gather(append(batch[:0], j))
			pixels = w.compute(batch, pixels[:0])
		case task := <-w.tasks:
			task()
		case <-w.stop:
			return
		}
	}
}

// gather adds the jobs that are waiting already.
func (w *works) gather(batch []*job) []*job {
	for len(batch) < w.options.MaxBatch {
		select {
		case j := <-w.ready:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// compute answers the jobs of a batch; pixels is memory for it.
func (w *works) compute(batch []*job, pixels []float32) []float32 {
	wanted := batch[:0]
	for _, j := range batch {
		if j.ctx.Err() == nil {
			pixels = append(pixels, j.pixels...)
			wanted = append(wanted, j)
			w.metrics.waited.Observe(time.Since(j.since).Seconds())
		}
		w.giveBack(j.pixels)
	}
	if len(wanted) == 0 {
		return pixels
	}
	w.metrics.batch.Observe(float64(len(wanted)))
	end := w.metrics.stage("think")
	logits, err := w.model.Logits(pixels, len(wanted))
	end()
	if err == nil && (len(logits) == 0 || len(logits)%len(wanted) != 0) {
		err = fmt.Errorf("%d logits for %d pictures", len(logits), len(wanted))
	}
	classes := len(logits) / len(wanted)
	for i, j := range wanted {
		if err != nil {
			j.done <- answer{err: err}
		} else {
			j.done <- answer{logits: logits[i*classes : (i+1)*classes]}
		}
	}
	return pixels
}
