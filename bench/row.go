package bench

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wangkuiyi/orrery/trainer"
)

// The works and inputs of rows.
const (
	Data    = "data"
	Train   = "train"
	Predict = "predict"

	JPEG      = "jpeg"
	Stored    = "store"
	Synthetic = "synthetic"
)

// A Row is one measurement.
type Row struct {
	Work            string  `json:"work"`   // data, train or predict
	Input           string  `json:"input"`  // jpeg, store (decoded pictures at hand) or synthetic
	Pixels          string  `json:"pixels"` // exact or fast
	Device          string  `json:"device"` // cpu, or cuda:N
	Model           string  `json:"model"`
	BatchSize       int     `json:"batch_size"`
	ImagesPerSecond float64 `json:"images_per_second"` // mean over the timed steps of all repeats
	MsPerStep       float64 `json:"ms_per_step"`       // likewise
	P50             float64 `json:"p50_ms"`            // of a step
	P90             float64 `json:"p90_ms"`
	P99             float64 `json:"p99_ms"`
	Spread          float64 `json:"spread"` // of the steps: interquartile range over median
	// Repeats are the images/s of each repeat, and RepeatSpread is the difference
	// of the fastest and the slowest over their median; 0 for one repeat.
	Repeats      []float64 `json:"repeats"`
	RepeatSpread float64   `json:"repeat_spread"`
	Steps        int       `json:"steps"`   // timed, over all repeats
	WarmUp       int       `json:"warm_up"` // steps of each repeat that were not timed
	// Way is how the timed steps of training were taken: as a GPU is to take them, or waited for one by one.
	// What is not true of all of them is false.
	Way trainer.Way `json:"way"`
	// FirstStepMs is the very first step, when memory is taken and kernels are chosen.
	FirstStepMs float64 `json:"first_step_ms"`
	// DataWait is the fraction of the time that waited for pictures.
	DataWait float64 `json:"data_wait_fraction"`
	// PeakMemoryBytes is the most the process held at once while the row was measured:
	// resident memory, pages of the store among it; 0 where that is not known.
	PeakMemoryBytes int64   `json:"peak_memory_bytes"`
	Split           *Split  `json:"split,omitempty"`
	Floor           *Floor  `json:"floor,omitempty"`
	Energy          *Energy `json:"energy,omitempty"`
	Cost            *Cost   `json:"cost,omitempty"`
	Error           string  `json:"error,omitempty"` // why there are no figures

	began, ended time.Time
	demand       *demand // nil: no floor
}

// A Split is the mean time of each part of a step, in milliseconds.
type Split struct {
	Data      float64 `json:"data_ms"`      // waiting for the batch and taking it to the device
	Forward   float64 `json:"forward_ms"`   // through the network
	Backward  float64 `json:"backward_ms"`  // the loss and its gradients
	Optimizer float64 `json:"optimizer_ms"` // the change of the weights
	Steps     int     `json:"steps"`
}

// A pass is one repeat of a row: some steps after those of the warm-up.
type pass struct {
	steps   []time.Duration
	total   time.Duration // of the timed steps; their sum, or less where they overlap
	waits   time.Duration // of total
	first   time.Duration // the first step of the warm-up, or of all
	images  int           // of the timed steps
	way     *trainer.Way  // of the timed steps; nil: none is of training
	warmUp  int           // steps before them
	peak    int64         // bytes
	joules  float64
	metered bool // joules is measured
}

// took notes how a timed step of training was taken.
func (p *pass) took(w trainer.Way) { p.way = both(p.way, &w) }

// both is what is true of two ways, of which either may be nil.
func both(a, b *trainer.Way) *trainer.Way {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return &trainer.Way{Late: a.Late && b.Late, Graph: a.Graph && b.Graph, Resident: a.Resident && b.Resident}
}

func (p *pass) rate() float64 { return float64(p.images) / p.total.Seconds() }

// sumUp fills a row's figures from its passes, of which there is at least one with a step.
func (r *Row) sumUp(passes []pass) {
	var all []time.Duration
	var total, waits time.Duration
	images := 0
	var way *trainer.Way
	for i := range passes {
		p := &passes[i]
		all = append(all, p.steps...)
		total, waits, images = total+p.total, waits+p.waits, images+p.images
		r.Repeats = append(r.Repeats, p.rate())
		way = both(way, p.way)
		r.PeakMemoryBytes = max(r.PeakMemoryBytes, p.peak)
	}
	if way != nil {
		r.Way = *way
	}
	r.Steps, r.WarmUp = len(all), passes[0].warmUp
	r.ImagesPerSecond = float64(images) / total.Seconds()
	r.MsPerStep = ms(total) / float64(len(all))
	r.setPercentiles(all)
	r.DataWait = min(1, waits.Seconds()/total.Seconds())
	r.FirstStepMs = ms(passes[0].first)
	sorted := slices.Sorted(slices.Values(r.Repeats))
	r.RepeatSpread = (sorted[len(sorted)-1] - sorted[0]) / quantile(sorted, 0.5)
}

// setPercentiles sorts the times of steps.
func (r *Row) setPercentiles(times []time.Duration) {
	slices.Sort(times)
	r.P50, r.P90, r.P99 = ms(quantile(times, 0.5)), ms(quantile(times, 0.9)), ms(quantile(times, 0.99))
	r.Spread = (ms(quantile(times, 0.75)) - ms(quantile(times, 0.25))) / r.P50
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// quantile is the value of sorted nearest to rank q, in [0, 1].
func quantile[T any](sorted []T, q float64) T {
	return sorted[int(math.Round(q*float64(len(sorted)-1)))]
}
