package report

import (
	"bytes"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
import base64, json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "histograms": 0})
a.Reload()
json.dump({
    "scalars": {t: [[e.step, e.value] for e in a.Scalars(t)] for t in a.Tags()["scalars"]},
    "images": {t: [{"Step": e.step, "Width": e.width, "Height": e.height, "Content": base64.b64encode(e.encoded_image_string).decode()}
                   for e in a.Images(t)] for t in a.Tags()["images"]},
    "histograms": {t: [{"Step": e.step, "Number": e.histogram_value.num, "Limits": list(e.histogram_value.bucket_limit), "Counts": list(e.histogram_value.bucket)}
                       for e in a.Histograms(t)] for t in a.Tags()["histograms"]},
}, sys.stdout)
`

// seenEvents is what readEvents prints; a scalar is [step, value].
type seenEvents struct {
	Scalars    map[string][][2]float64
	Images     map[string][]seenImage
	Histograms map[string][]seenHistogram
}

type seenImage struct {
	Step, Width, Height int
	Content             []byte
}

type seenHistogram struct {
	Step           int64
	Number         float64
	Limits, Counts []float64
}

// TensorBoard itself reads every value back.
func TestTensorBoardReadsTheValues(t *testing.T) {
	python := os.Getenv("ORRERY_PYTHON")
	if python == "" {
		t.Skip("the tests' Python is not here; make setup-test installs it, scripts/setup/env.sh finds it")
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
	var got seenEvents
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scalarsOf(r, 12), got.Scalars); diff != "" {
		t.Errorf("scalars (-files +TensorBoard):\n%s", diff)
	}
	want := map[string][]seenHistogram{}
	for m, name := range r.Activations.Modules {
		for s, step := range r.Activations.Steps {
			h := seenHistogram{Step: step}
			for b := range HistogramBins {
				count := float64(r.Activations.Histogram[(s*len(r.Activations.Modules)+m)*HistogramBins+b])
				h.Limits, h.Counts = append(h.Limits, float64(b+1)/4), append(h.Counts, count) // 40 bins over [0, 10]
				h.Number += count
			}
			want["activations/"+name] = append(want["activations/"+name], h)
		}
	}
	if diff := cmp.Diff(want, got.Histograms); diff != "" {
		t.Errorf("histograms (-activations.npz +TensorBoard):\n%s", diff)
	}
	for tag, step := range map[string]int{"show-batch": 0, "confusion": 35} {
		content, err := os.ReadFile(filepath.Join(dir, "plots", tag+".png"))
		if err != nil {
			t.Fatal(err)
		}
		size, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]seenImage{{step, size.Width, size.Height, content}}, got.Images[tag]); diff != "" {
			t.Errorf("picture %s (-plots +TensorBoard):\n%s", tag, diff)
		}
	}
}

// scalarsOf is what TensorBoard, which keeps float32, should read of a run with so many steps an epoch.
func scalarsOf(r *Run, perEpoch int) map[string][][2]float64 {
	want := map[string][][2]float64{}
	add := func(tag string, step int, value float64) {
		want[tag] = append(want[tag], [2]float64{float64(step), float64(float32(value))})
	}
	for _, s := range r.Steps {
		add("train/loss", s.Step, s.Loss)
		add("train/smoothed_loss", s.Step, s.SmoothedLoss)
		add("train/lr", s.Step, s.LearningRate)
		add("train/momentum", s.Step, s.Momentum)
		add("train/images_per_second", s.Step, s.ImagesPerSecond)
		add("train/data_wait_seconds", s.Step, s.DataWait)
		add("train/memory_mib", s.Step, s.Memory)
	}
	for _, e := range r.History {
		last := (e.Epoch+1)*perEpoch - 1
		add("valid/loss", last, e.ValidLoss)
		add("valid/accuracy", last, e.Accuracy)
		add("valid/train_loss", last, e.TrainLoss)
	}
	a := r.Activations
	for m, name := range a.Modules {
		for s, step := range a.Steps {
			i := s*len(a.Modules) + m
			add("activations/"+name+"/mean", int(step), float64(a.Mean[i]))
			add("activations/"+name+"/std", int(step), float64(a.Std[i]))
			add("activations/"+name+"/near_zero", int(step), float64(a.NearZero[i]))
		}
	}
	return want
}
