package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// An mlEvent is a line of MLPerf's log, without its mark.
type mlEvent struct {
	Namespace string         `json:"namespace"`
	Time      int64          `json:"time_ms"` // since 1970
	Type      string         `json:"event_type"`
	Key       string         `json:"key"`
	Value     any            `json:"value"`
	Metadata  map[string]any `json:"metadata"`
}

const (
	mlPoint = "POINT_IN_TIME"
	mlStart = "INTERVAL_START"
	mlStop  = "INTERVAL_END"
)

// WriteMLPerf writes the report in the form of MLPerf's training logs, a line that
// begins with :::MLLOG an event: the settings, then a block for each row, with its
// throughput as tracked_stats. It is the form only, not a submission.
func (r *Report) WriteMLPerf(w io.Writer) error {
	var failed error
	line := 0
	log := func(at time.Time, kind, key string, value any, metadata map[string]any) {
		line++
		all := map[string]any{"file": "orrery bench", "lineno": line}
		for k, v := range metadata {
			all[k] = v
		}
		text, err := json.Marshal(mlEvent{"", at.UnixMilli(), kind, key, value, all})
		if err == nil {
			_, err = fmt.Fprintf(w, ":::MLLOG %s\n", text)
		}
		if failed == nil {
			failed = err
		}
	}
	platform := r.Machine.Processor
	if r.Machine.GPU != "" {
		platform += ", " + r.Machine.GPU
	}
	log(r.began, mlStart, "init_start", nil, nil)
	for _, setting := range []struct {
		key   string
		value any
	}{
		{"submission_benchmark", "image_classification"}, {"submission_platform", platform}, {"seed", r.recipe.Seed}, {"train_samples", r.trainImages},
		{"opt_name", r.recipe.Optimizer}, {"opt_base_learning_rate", r.recipe.LearningRate}, {"opt_weight_decay", r.recipe.WeightDecay},
	} {
		log(r.began, mlPoint, setting.key, setting.value, nil)
	}
	begun := r.ended
	if len(r.Rows) > 0 {
		begun = r.Rows[0].began
	}
	log(begun, mlStop, "init_stop", nil, nil)
	log(begun, mlStart, "run_start", nil, nil)
	status := "success"
	// Rows are measured in turns, so their blocks overlap; the events stand in the order of their times.
	type event struct {
		at    time.Time
		write func()
	}
	var events []event
	later := func(at time.Time, kind, key string, value any, metadata map[string]any) {
		events = append(events, event{at, func() { log(at, kind, key, value, metadata) }})
	}
	for _, row := range r.Rows {
		about := map[string]any{"work": row.Work, "input": row.Input, "pixels": row.Pixels, "device": row.Device, "model": row.Model}
		later(row.began, mlStart, "block_start", nil, about)
		later(row.began, mlPoint, "global_batch_size", row.BatchSize, about)
		if row.Error != "" {
			status = "aborted"
		} else {
			later(row.ended, mlPoint, "tracked_stats", map[string]float64{
				"throughput": row.ImagesPerSecond, "ms_per_step": row.MsPerStep, "p50_ms": row.P50, "p90_ms": row.P90, "p99_ms": row.P99,
			}, about)
		}
		later(row.ended, mlStop, "block_stop", nil, about)
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	for _, e := range events {
		e.write()
	}
	log(r.ended, mlStop, "run_stop", nil, map[string]any{"status": status})
	return failed
}
