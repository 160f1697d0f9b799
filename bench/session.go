package bench

import (
	"context"
	"slices"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
	"github.com/wangkuiyi/orrery/trainer"
)

// A session is one Run.
type session struct {
	Options
	report *Report
	folder string // for stores and runs, which end with the session
	made   int    // of them
	// Of the device being measured:
	device   string
	warmUp   int
	ceilings Ceilings
	meter    *meter
}

func (s *session) note(text string) {
	if !slices.Contains(s.report.Notes, text) {
		s.report.Notes = append(s.report.Notes, text)
	}
}

// syntheticClasses are those of pictures that nobody brought.
const syntheticClasses = 4

// onDevice measures all rows of a device; those of the loader alone with the first.
func (s *session) onDevice(ctx context.Context, device string, first bool) error {
	recipes := s.combinations()
	recipes[0].Device = device
	if err := s.prepare(recipes[0], first); err != nil {
		return err
	}
	defer s.meter.close()
	from := len(s.report.Rows)
	loaded := map[int]bool{} // batch sizes of which the loader alone was measured
	for _, recipe := range recipes {
		recipe.Device = s.device
		classes := syntheticClasses
		if s.Set != nil {
			classes = len(s.Set.Classes)
		}
		summary, err := trainer.Summary(recipe, classes)
		if err != nil {
			return err
		}
		for i := range s.Pixels {
			recipe.Pixels = s.Pixels[i]
			jobs := s.onSynthetic(ctx, recipe, summary, classes)
			if s.Set != nil {
				err = s.onPictures(ctx, recipe, summary, first && !loaded[recipe.BatchSize], jobs)
			} else if i == 0 {
				err = s.measure(ctx, jobs)
			}
			if err != nil {
				return err
			}
		}
		loaded[recipe.BatchSize] = true
	}
	// Once more, for what else the machine did may have been at the ceilings' cost.
	if err := s.measureCeilings(recipes[0]); err != nil {
		return err
	}
	s.report.Ceilings = append(s.report.Ceilings, s.ceilings)
	for i := range s.report.Rows[from:] {
		if row := &s.report.Rows[from+i]; row.demand != nil && row.Error == "" {
			row.Floor = s.ceilings.floor(*row.demand, row.MsPerStep)
		}
	}
	return nil
}

// measureCeilings keeps the higher ones of all measurements on the device.
func (s *session) measureCeilings(recipe trainer.Recipe) error {
	rig, err := trainer.NewRig(recipe, syntheticClasses, trainer.Options{}) // the threads of training
	if err != nil {
		return err
	}
	defer rig.Close()
	s.device = rig.Device()
	s.Log.Info("measuring the ceilings of arithmetic and memory", "device", s.device)
	c, err := measureCeilings(s.device)
	s.ceilings = Ceilings{s.device, max(c.FLOPS, s.ceilings.FLOPS), max(c.BytesPerSecond, s.ceilings.BytesPerSecond)}
	return err
}

// prepare measures what the device can do and finds its counters.
func (s *session) prepare(recipe trainer.Recipe, first bool) error {
	s.ceilings = Ceilings{}
	machine := thisMachine(s.Options) // as busy as it is without us
	if err := s.measureCeilings(recipe); err != nil {
		return err
	}
	if first {
		machine.Threads = torch.NumThreads()
		s.report.Machine = machine
		if busy := machine.busy(); busy != "" {
			s.note(busy)
		}
	}
	s.warmUp = s.WarmUp
	if s.warmUp < 0 {
		s.warmUp = 3
		if s.onGPU() {
			s.warmUp = 10
		}
	}
	if s.onGPU() {
		s.note("the parts of a step on " + s.device + " and its percentiles are from a pass of their own, in which the device is waited for at each part; they add up to more than the step")
		s.note("peak memory on " + s.device + " is the process's own, not that of CUDA's allocator, which the bindings do not tell")
	}
	var notes []string
	s.meter, notes = newMeter(s.device)
	for _, n := range notes {
		s.note(n)
	}
	return nil
}

func (s *session) onGPU() bool { return kindOf(s.device) == "cuda" }

// A job is a row to be measured.
type job struct {
	work, input string
	recipe      trainer.Recipe
	repeat      func() (pass, error)                    // takes one repeat
	parts       func() (*Split, []time.Duration, error) // nil: the loader alone
	summary     *models.Summary                         // nil: no floor
}

// measure adds the jobs' rows to the report. Their repeats are taken in turns, so that a machine that is slower for a
// while is slower for all of them, and their ratios hold. It gives an error only once ctx has ended.
func (s *session) measure(ctx context.Context, jobs []job) error {
	jobs = slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return !s.wants(j.work) })
	rows, failed := make([]Row, len(jobs)), make([]error, len(jobs))
	passes := make([][]pass, len(jobs))
	for range s.Repeats {
		for i, j := range jobs {
			if rows[i].began.IsZero() {
				rows[i].began = time.Now()
			}
			if failed[i] != nil {
				continue
			}
			p, err := j.repeat()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			passes[i], failed[i] = append(passes[i], p), err
		}
	}
	for i, j := range jobs {
		row := &rows[i]
		row.Work, row.Input, row.Pixels, row.Device = j.work, j.input, j.recipe.Pixels, s.device
		row.Model, row.BatchSize = j.recipe.Model, j.recipe.BatchSize
		if j.work == Data {
			row.Device = "cpu"
		}
		head := *row
		err := failed[i]
		if err == nil {
			err = s.fill(row, j, passes[i])
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		log := s.Log.With("work", row.Work, "input", row.Input, "pixels", row.Pixels, "device", row.Device, "model", row.Model, "batch", row.BatchSize)
		if err != nil {
			*row = head
			row.Error, row.Repeats = err.Error(), []float64{}
			log.Warn("not measured", "reason", err)
		} else {
			log.Info("measured", "images_per_second", int(row.ImagesPerSecond+0.5))
		}
		row.ended = time.Now()
	}
	s.report.Rows = append(s.report.Rows, rows...)
	return nil
}

// fill works out a row's figures from its repeats.
func (s *session) fill(row *Row, j job, passes []pass) error {
	row.sumUp(passes)
	epoch := s.epochImages(j.recipe.BatchSize)
	row.Energy = energyOf(passes, epoch, s.meter.source)
	if price, ok := s.Prices.of(row.Device); ok {
		row.Cost = costOf(price, row.ImagesPerSecond, epoch)
	}
	if j.parts != nil {
		split, times, err := j.parts()
		if err != nil {
			return err
		}
		row.Split = split
		if s.onGPU() { // without waiting, a step's end is only that of its queueing
			row.setPercentiles(times)
		}
	}
	if j.summary != nil {
		d := demandOf(j.work, j.summary, j.recipe)
		row.demand = &d
	}
	return nil
}
