package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

// Options say what is measured and how long.
type Options struct {
	// Recipes are what is trained, a network each. BatchSizes and Pixels each take
	// the place of the recipe's; every combination is measured, on each device.
	Recipes    []trainer.Recipe
	BatchSizes []int
	Pixels     []string // exact, fast
	// Works are what is measured, of Data, Train and Predict; empty: all.
	Works []string
	// Devices are cpu or cuda:N; empty: the CPU, and the first GPU that libtorch sees.
	Devices []string
	// Set is the pictures; nil measures synthetic ones alone.
	Set *data.Dataset
	// Steps are timed in each repeat, after WarmUp that are not. A WarmUp below 0 is
	// 3 on the CPU, 10 on a GPU. Training on decoded pictures takes more of them, up to
	// whole epochs, where epochs are short; from JPEG files an epoch is the most there is.
	Steps, WarmUp, Repeats int
	Prices                 Prices
	Log                    *slog.Logger // takes progress
	Commit                 string
	Command                []string
	// Training, where it is given, changes the options of every training that is measured.
	Training func(*trainer.Options)
}

// A Report is all that was measured.
type Report struct {
	Rows        []Row        `json:"rows"`
	Machine     Machine      `json:"machine"`
	Ceilings    []Ceilings   `json:"ceilings"`
	Comparisons []Comparison `json:"comparisons"` // GPU against CPU; none without both
	// Notes say what a figure means or why it is not there, a line each.
	Notes []string `json:"notes"`

	recipe       trainer.Recipe
	trainImages  int // 0 without a set
	began, ended time.Time
}

// Failed counts the rows without figures.
func (r *Report) Failed() int {
	n := 0
	for _, row := range r.Rows {
		if row.Error != "" {
			n++
		}
	}
	return n
}

// training are o with what is asked to be changed.
func (o *Options) training(t trainer.Options) trainer.Options {
	if o.Training != nil {
		o.Training(&t)
	}
	return t
}

// Check reports the first option that cannot be measured, before anything is.
func (o *Options) Check() error {
	switch {
	case o.Steps < 2:
		return fmt.Errorf("steps is %d; it must be at least 2", o.Steps)
	case o.Repeats < 1:
		return fmt.Errorf("repeats is %d; it must be at least 1", o.Repeats)
	case len(o.Recipes) == 0 || len(o.BatchSizes) == 0 || len(o.Pixels) == 0:
		return errors.New("there is no network, batch size or kind of pixels to measure")
	}
	for _, work := range o.Works {
		if !slices.Contains([]string{Data, Train, Predict}, work) {
			return fmt.Errorf("work is %q; it must be some of data, train, predict", work)
		}
	}
	for _, r := range o.combinations() {
		if err := r.Validate(); err != nil {
			return err
		}
		if o.Set != nil && r.BatchSize > o.trainImages() {
			return fmt.Errorf("%s: batch size %d is larger than the training split of %d pictures; lower --batch-size", o.Set.Source, r.BatchSize, o.trainImages())
		}
	}
	return nil
}

// wants tells whether a work is measured.
func (o *Options) wants(work string) bool { return len(o.Works) == 0 || slices.Contains(o.Works, work) }

// combinations are one recipe for each network and batch size.
func (o *Options) combinations() []trainer.Recipe {
	var list []trainer.Recipe
	for _, r := range o.Recipes {
		for _, batch := range o.BatchSizes {
			r.BatchSize, r.StartSize, r.Patience, r.Epochs = batch, 0, 0, endless
			list = append(list, r)
		}
	}
	return list
}

// endless is more epochs than are ever measured.
const endless = 1 << 20

// shortEpochs is how many times Steps an epoch may have to be timed whole.
const shortEpochs = 4

// epochSteps are Steps, and as many more as end with an epoch: every place in an epoch, from its first
// step after validation to its last, then counts as often as in a training.
func (o *Options) epochSteps(batch int) int {
	epoch := o.trainImages() / batch
	if epoch > shortEpochs*o.Steps {
		return o.Steps
	}
	return (o.Steps + epoch - 1) / epoch * epoch
}

func (o *Options) trainImages() int {
	train, _, err := o.Set.Split(o.Recipes[0].ValidPct, o.Recipes[0].SplitSeed)
	if err != nil {
		return 0
	}
	return len(train)
}

// epochImages is how many pictures an epoch trains on; 0 without a set.
func (o *Options) epochImages(batch int) int {
	if o.Set == nil {
		return 0
	}
	return o.trainImages() / batch * batch
}

// Run measures. A row that fails says why and the others go on; a context that
// ends, ends it. It checks the options first.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Set == nil && !o.wants(Train) && !o.wants(Predict) {
		return nil, errors.New("work is data alone, but there are no pictures to load; give DATA")
	}
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	if len(o.Devices) == 0 {
		o.Devices = []string{"cpu"}
		if torch.IsCUDAAvailable() {
			o.Devices = append(o.Devices, "cuda:0")
		}
	}
	folder, err := os.MkdirTemp("", "orrery-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	s := &session{Options: o, folder: folder, report: &Report{Comparisons: []Comparison{}, Notes: []string{}, recipe: o.Recipes[0], began: time.Now()}}
	if o.Set != nil {
		s.report.trainImages = o.trainImages()
	}
	for i, device := range o.Devices {
		if err := s.onDevice(ctx, device, i == 0); err != nil {
			return nil, err
		}
	}
	s.report.Comparisons = append(s.report.Comparisons, compare(s.report.Rows, o.Prices)...)
	if len(s.report.Comparisons) == 0 {
		s.note("CPU and GPU are not compared: rows of both are needed")
	}
	s.report.ended = time.Now()
	return s.report, nil
}
