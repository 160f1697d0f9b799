package report

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWriteEventsReplacesItsOwn(t *testing.T) {
	dir := writeSample(t, 2, 10, sampleClasses)
	stale := filepath.Join(dir, "events.out.tfevents.0000000001.orrery")
	if err := os.WriteFile(stale, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		path, err := WriteEvents(dir)
		if err != nil {
			t.Fatal(err)
		}
		found, _ := filepath.Glob(filepath.Join(dir, "events.*"))
		if len(found) != 1 || found[0] != path {
			t.Errorf("event files are %v, want only %s", found, path)
		}
	}
	if _, err := WriteEvents(t.TempDir()); err == nil {
		t.Error("an empty folder gave an event file")
	}
}

func TestWallClockEndsWithTheFile(t *testing.T) {
	dir := writeSample(t, 2, 10, sampleClasses)
	end := time.Unix(1_700_000_000, 0)
	if err := os.Chtimes(filepath.Join(dir, "steps.csv"), end, end); err != nil {
		t.Fatal(err)
	}
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	clock := r.wallClock()
	if got := clock(19); !got.Equal(end) {
		t.Errorf("the last step is at %v, want %v", got, end)
	}
	if got, want := end.Sub(clock(9)).Seconds(), r.History[1].Seconds; math.Abs(got-want) > 1e-3 {
		t.Errorf("the second epoch takes %v s, want %v", got, want)
	}
}

// readEvents prints, with TensorBoard's own reader, what an event folder holds.
const readEvents = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "histograms": 0})
a.Reload()
h = {t: [[e.step, e.histogram_value.num, e.histogram_value.sum, list(e.histogram_value.bucket_limit), list(e.histogram_value.bucket)] for e in a.Histograms(t)] for t in a.Tags()["histograms"]}
json.dump({
    "scalars": {t: [[e.step, e.value] for e in a.Scalars(t)] for t in a.Tags()["scalars"]},
    "images": {t: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in a.Images(t)] for t in a.Tags()["images"]},
    "histograms": h,
}, sys.stdout)
`

// TensorBoard itself reads the values back. It needs $ORRERY_TENSORBOARD, a
// Python with the package tensorboard (made with version 2.20.0).
func TestTensorBoardReadsTheValues(t *testing.T) {
	python := os.Getenv("ORRERY_TENSORBOARD")
	if python == "" {
		t.Skip("set ORRERY_TENSORBOARD to a Python that has the package tensorboard")
	}
	dir := writeSample(t, 3, 12, sampleClasses)
	if _, err := Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteEvents(dir); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, "-c", readEvents, dir)
	var problems strings.Builder
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	var got struct {
		Scalars map[string][][2]float64
		Images  map[string][][4]int
		// Step, number, sum, limits, counts.
		Histograms map[string][][]any
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Scalars["train/loss"]); n != 36 {
		t.Fatalf("TensorBoard sees %d losses, want 36", n)
	}
	same := func(tag string, i int, step int, value float64) {
		t.Helper()
		if p := got.Scalars[tag][i]; p[0] != float64(step) || p[1] != float64(float32(value)) {
			t.Errorf("%s %d is %v, want step %d with %v", tag, i, p, step, float32(value))
		}
	}
	for i, s := range r.Steps {
		same("train/loss", i, s.Step, s.Loss)
		same("train/smoothed_loss", i, s.Step, s.SmoothedLoss)
		same("train/lr", i, s.Step, s.LearningRate)
		same("train/momentum", i, s.Step, s.Momentum)
		same("train/images_per_second", i, s.Step, s.ImagesPerSecond)
	}
	for i, e := range r.History {
		same("valid/accuracy", i, 12*i+11, e.Accuracy)
		same("valid/loss", i, 12*i+11, e.ValidLoss)
	}
	for _, tag := range []string{"show-batch", "confusion"} {
		info, err := os.Stat(filepath.Join(dir, "plots", tag+".png"))
		if err != nil {
			t.Fatal(err)
		}
		if p := got.Images[tag]; len(p) != 1 || p[0][1] < 100 || p[0][3] != int(info.Size()) {
			t.Errorf("image %s is %v, want %d bytes", tag, p, info.Size())
		}
	}
	h := got.Histograms["activations/0.conv"]
	if len(h) != 36 {
		t.Fatalf("%d histograms, want 36", len(h))
	}
	counts := h[5][4].([]any)
	number := 0.0
	for b, count := range counts {
		want := float64(r.Activations.Histogram[5*4*HistogramBins+b])
		if count.(float64) != want {
			t.Errorf("bin %d is %v, want %v", b, count, want)
		}
		number += want
	}
	if len(counts) != HistogramBins || h[5][1].(float64) != number {
		t.Errorf("histogram of step 5 is %v", h[5])
	}
}
