package report

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// An ActivationRecorder gathers Activations while a run trains and keeps
// activations.npz up to date. Its memory is bounded: beyond recordedSteps it
// drops every second step it has and from then on keeps every second, fourth, ... one.
// Its methods belong to one goroutine.
type ActivationRecorder struct {
	path  string
	a     Activations
	every int // steps between two that are kept

	background sync.WaitGroup
	mu         sync.Mutex // of what follows
	writing    bool
	err        error
	next       time.Time // when to write again
}

const (
	recordedSteps = 8192
	statistics    = 3 + HistogramBins
	// snapshotEvery is how far activations.npz may lag behind while training.
	snapshotEvery = 5 * time.Second
	// snapshotShare bounds the time that goes into writing it meanwhile, as a part of all time.
	snapshotShare = 0.02
)

// NewActivationRecorder writes to path. A file that is there is continued
// before step; a new run begins with step 0, which keeps nothing of it.
func NewActivationRecorder(path string, step int) (*ActivationRecorder, error) {
	r := &ActivationRecorder{path: path, every: 1, next: time.Now().Add(time.Second)}
	if step == 0 {
		return r, nil
	}
	old, err := LoadActivations(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	r.a = *old
	n, _ := slices.BinarySearch(r.a.Steps, int64(step))
	r.keep(n, 1)
	if n > 1 {
		r.every = max(1, int(r.a.Steps[n-1]-r.a.Steps[n-2]))
	}
	return r, nil
}

// Layers names the modules, before the first step.
func (r *ActivationRecorder) Layers(names []string) {
	if !slices.Equal(r.a.Modules, names) {
		r.a = Activations{Modules: slices.Clone(names)}
	}
}

// Activations adds a step: for each module mean, std, near zero and the counts.
func (r *ActivationRecorder) Activations(step int, rows []float64) {
	if step%r.every != 0 {
		return
	}
	a := &r.a
	a.Steps = append(a.Steps, int64(step))
	for m := range a.Modules {
		row := rows[m*statistics : (m+1)*statistics]
		a.Mean, a.Std, a.NearZero = append(a.Mean, float32(row[0])), append(a.Std, float32(row[1])), append(a.NearZero, float32(row[2]))
		for _, count := range row[3:] {
			a.Histogram = append(a.Histogram, uint32(count))
		}
	}
	if len(a.Steps) >= recordedSteps {
		r.keep(len(a.Steps), 2)
		r.every *= 2
	}
	r.snapshot()
}

// keep leaves every stride-th of the first n steps.
func (r *ActivationRecorder) keep(n, stride int) {
	a := &r.a
	m := len(a.Modules)
	kept := 0
	for s := 0; s < n; s += stride {
		a.Steps[kept] = a.Steps[s]
		copy(a.Mean[kept*m:(kept+1)*m], a.Mean[s*m:])
		copy(a.Std[kept*m:(kept+1)*m], a.Std[s*m:])
		copy(a.NearZero[kept*m:(kept+1)*m], a.NearZero[s*m:])
		copy(a.Histogram[kept*m*HistogramBins:(kept+1)*m*HistogramBins], a.Histogram[s*m*HistogramBins:])
		kept++
	}
	a.Steps, a.Mean, a.Std, a.NearZero = a.Steps[:kept], a.Mean[:kept*m], a.Std[:kept*m], a.NearZero[:kept*m]
	a.Histogram = a.Histogram[:kept*m*HistogramBins]
}

// snapshot writes the file in the background, now and then.
func (r *ActivationRecorder) snapshot() {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writing || now.Before(r.next) {
		return
	}
	r.writing = true
	copied := Activations{
		Modules: r.a.Modules, Steps: slices.Clone(r.a.Steps), Mean: slices.Clone(r.a.Mean), Std: slices.Clone(r.a.Std),
		NearZero: slices.Clone(r.a.NearZero), Histogram: slices.Clone(r.a.Histogram),
	}
	r.background.Go(func() {
		err := WriteActivations(r.path, &copied)
		took := time.Since(now)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.writing, r.err = false, err
		r.next = time.Now().Add(max(snapshotEvery, time.Duration(float64(took)/snapshotShare)))
	})
}

// Close writes the file a last time, if there is anything to write.
func (r *ActivationRecorder) Close() error {
	r.background.Wait()
	if len(r.a.Modules) == 0 {
		return nil
	}
	return WriteActivations(r.path, &r.a)
}
