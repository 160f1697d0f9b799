package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/trainer"
)

func tiny() Options {
	r := trainer.Article()
	r.Size, r.ItemSize, r.Threads, r.Workers, r.Device, r.Data = 32, 40, 1, 1, "cpu", "synthetic"
	return Options{
		Recipes: []trainer.Recipe{r}, BatchSizes: []int{4, 8}, Pixels: []string{"exact"}, Devices: []string{"cpu"},
		Steps: 3, WarmUp: 1, Repeats: 2, Log: slog.New(slog.DiscardHandler),
	}
}

func TestSyntheticRows(t *testing.T) {
	o := tiny()
	o.Prices = Prices{"cpu": 1}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range r.Rows {
		names = append(names, row.Work)
		if row.Error != "" || row.ImagesPerSecond <= 0 || row.Steps != 6 || len(row.Repeats) != 2 || row.Split == nil || row.Floor == nil || row.FirstStepMs <= 0 {
			t.Fatalf("row %+v", row)
		}
		near(t, "images/s from ms/step", row.ImagesPerSecond, float64(row.BatchSize)/row.MsPerStep*1e3)
		near(t, "the cost", row.Cost.Per1000Images, 1000/row.ImagesPerSecond/3600)
		if parts := row.Split.Backward + row.Split.Optimizer; (parts > 0) != (row.Work == Train) || row.Split.Forward <= 0 {
			t.Errorf("%s has parts %+v", row.Work, row.Split)
		}
		if row.Floor.Reached <= 0 {
			t.Errorf("floor %+v", row.Floor)
		}
	}
	if want := []string{Train, Predict, Train, Predict}; !slices.Equal(names, want) {
		t.Errorf("works %q, want %q", names, want)
	}
	if len(r.Ceilings) != 1 || r.Machine.Threads != 1 || r.Machine.Libtorch == "" || len(r.Notes) == 0 {
		t.Errorf("ceilings %v, machine %+v, notes %q", r.Ceilings, r.Machine, r.Notes)
	}
}

func TestCheck(t *testing.T) {
	for word, spoil := range map[string]func(*Options){
		"steps is 1":          func(o *Options) { o.Steps = 1 },
		"repeats is 0":        func(o *Options) { o.Repeats = 0 },
		"batch size is 0":     func(o *Options) { o.BatchSizes = []int{8, 0} },
		`"cnn9" is not known`: func(o *Options) { o.Recipes[0].Model = "cnn9" },
		"nothing":             nil,
	} {
		o := tiny()
		if spoil == nil {
			if err := o.Check(); err != nil {
				t.Error(err)
			}
			continue
		}
		spoil(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line with %q, got %v", word, err)
		}
	}
}

func TestWorks(t *testing.T) {
	o := tiny()
	o.Works = []string{Predict}
	report, err := Run(t.Context(), o)
	if err != nil || len(report.Rows) == 0 {
		t.Fatalf("%v, %+v", err, report)
	}
	for _, row := range report.Rows {
		if row.Work != Predict {
			t.Errorf("a row of %s", row.Work)
		}
	}
	for word, works := range map[string][]string{"give DATA": {Data}, `"trian"`: {"trian"}} {
		o.Works = works
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("works %q: want a line with %q, got %v", works, word, err)
		}
	}
}

func TestAFailedRow(t *testing.T) {
	s := &session{Options: tiny(), device: "cpu", meter: &meter{}, report: &Report{}}
	err := s.measure(t.Context(), []job{{work: Train, input: Synthetic, recipe: s.Recipes[0], repeat: func() (pass, error) { return pass{}, errors.New("out of memory") }}})
	if err != nil || len(s.report.Rows) != 1 || s.report.Rows[0].Error != "out of memory" || s.report.Failed() != 1 {
		t.Errorf("%v, rows %+v", err, s.report.Rows)
	}
}

// TestStopwatch lets a training of three epochs of four steps run: 2 steps warm up, 7 are timed, the energy of
// validation, 100 J, is not.
func TestStopwatch(t *testing.T) {
	now, stopped := uint64(0), 0
	m := &meter{counters: []counter{{unit: 1, read: func() (uint64, error) { return now, nil }}}}
	clock := time.Unix(0, 0)
	w := &stopwatch{probe: newProbe(m), warmUp: 2, steps: 7, batch: 8, stop: func() { stopped++ }}
	w.probe.now = func() time.Time { return clock }
	for epoch := range 3 {
		w.EpochStarts(epoch, 3, 4)
		for range 4 {
			now++
			clock = clock.Add(time.Second / 2)
			w.StepEnds(trainer.Step{Seconds: 0.5, DataWaitSeconds: 0.125, Way: trainer.Way{Late: true, Graph: epoch > 0}})
		}
		now += 100
		clock = clock.Add(time.Hour)
		w.EpochEnds(trainer.Epoch{})
	}
	w.probe.tell(&w.p)
	if len(w.p.steps) != 7 || w.p.total != 3500*time.Millisecond || w.p.waits != 875*time.Millisecond || w.p.images != 56 || w.p.first != 500*time.Millisecond {
		t.Errorf("the pass is %+v", w.p)
	}
	if *w.p.way != (trainer.Way{Late: true}) {
		t.Errorf("the steps, of which some are no graph, are %+v", *w.p.way)
	}
	if stopped != 1 {
		t.Errorf("the training was told to stop %d times", stopped)
	}
	near(t, "energy", w.p.joules, 7)
}

func TestMLPerf(t *testing.T) {
	at := time.UnixMilli(1700000000000)
	r := &Report{
		Rows: []Row{
			{Work: Train, Input: Synthetic, Device: "cpu", Model: "cnn8", BatchSize: 64, ImagesPerSecond: 250, began: at.Add(time.Second), ended: at.Add(2 * time.Second)},
			{Work: Predict, Error: "out of memory", began: at.Add(2 * time.Second), ended: at.Add(3 * time.Second)},
		},
		recipe: trainer.Article(), trainImages: 1677, began: at, ended: at.Add(4 * time.Second),
	}
	var text bytes.Buffer
	if err := r.WriteMLPerf(&text); err != nil {
		t.Fatal(err)
	}
	var keys []string
	values := map[string]any{}
	last := int64(0)
	for line := range strings.Lines(text.String()) {
		rest, ok := strings.CutPrefix(line, ":::MLLOG ")
		var e mlEvent
		if err := json.Unmarshal([]byte(rest), &e); err != nil || !ok {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Time < last {
			t.Errorf("%s is earlier than the line before", e.Key)
		}
		last = e.Time
		keys, values[e.Key] = append(keys, e.Key), e.Value
		if e.Key == "run_stop" && e.Metadata["status"] != "aborted" {
			t.Errorf("a log with a failed row ends in %v", e.Metadata)
		}
	}
	want := "init_start submission_benchmark submission_platform seed train_samples opt_name opt_base_learning_rate opt_weight_decay init_stop run_start " +
		"block_start global_batch_size tracked_stats block_stop block_start global_batch_size block_stop run_stop"
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("keys\n%s, want\n%s", got, want)
	}
	if values["tracked_stats"].(map[string]any)["throughput"] != 250.0 || values["train_samples"] != 1677.0 || values["opt_name"] != "adam" || last != 1700000004000 {
		t.Errorf("values %v, end %d", values, last)
	}
}
