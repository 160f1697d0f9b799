package report

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/wangkuiyi/orrery/report/internal/whole"
	"github.com/wangkuiyi/orrery/report/tensorboard"
)

// WriteEvents writes what the run folder dir holds as an event file for
// TensorBoard, into the folder itself, and returns the file's path. Its scalars
// are train/loss, train/smoothed_loss, train/lr, train/momentum,
// train/images_per_second, train/data_wait_seconds, train/memory_mib by step; valid/loss,
// valid/accuracy, valid/train_loss at each epoch's last step; the activations'
// histograms and statistics; the pictures show-batch, top-losses and confusion.
//
// steps.csv has no clock: wall times are spread evenly over each epoch, such
// that the last step falls on the file's modification time.
func WriteEvents(dir string) (path string, err error) {
	r, err := Load(dir)
	if err != nil {
		return "", err
	}
	if len(r.Steps) == 0 && len(r.History) == 0 {
		return "", fmt.Errorf("%s has no steps and no epochs to show in TensorBoard", dir)
	}
	clock := r.wallClock()
	start := clock(0)
	old, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*.orrery"))
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, tensorboard.FileName(start, "orrery"))
	err = whole.Write(path, func(out io.Writer) error {
		w := tensorboard.NewWriter(out, start)
		r.scalarEvents(w, clock)
		r.activationEvents(w, clock)
		if err := r.pictureEvents(w, clock); err != nil {
			return err
		}
		return w.Flush()
	})
	if err != nil {
		return "", err
	}
	// TensorBoard adds up all files of a folder, so an older one would double each curve.
	for _, name := range old {
		if name != path {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
	}
	return path, nil
}

// wallClock estimates when the step of an index of Steps ended.
func (r *Run) wallClock() func(index int) time.Time {
	end := time.Unix(0, 0)
	for _, name := range []string{"steps.csv", "history.csv"} {
		if info, err := os.Stat(filepath.Join(r.Dir, name)); err == nil {
			end = info.ModTime()
			break
		}
	}
	seconds := map[int]float64{} // of each epoch
	for _, e := range r.History {
		if e.Seconds > 0 && !math.IsInf(e.Seconds, 0) {
			seconds[e.Epoch] = e.Seconds
		}
	}
	count := map[int]int{}
	for _, s := range r.Steps {
		count[s.Epoch]++
	}
	since := make([]float64, len(r.Steps)+1)
	for i, s := range r.Steps {
		since[i+1] = since[i] + seconds[s.Epoch]/float64(count[s.Epoch])
	}
	total := since[len(r.Steps)]
	return func(index int) time.Time {
		index = min(max(index+1, 0), len(r.Steps))
		return end.Add(-time.Duration((total - since[index]) * float64(time.Second))).Truncate(time.Microsecond)
	}
}

func (r *Run) scalarEvents(w *tensorboard.Writer, clock func(int) time.Time) {
	for i, s := range r.Steps {
		at, step := clock(i), int64(s.Step)
		for _, v := range []struct {
			tag   string
			value float64
		}{
			{"train/loss", s.Loss}, {"train/smoothed_loss", s.SmoothedLoss}, {"train/lr", s.LearningRate}, {"train/momentum", s.Momentum},
			{"train/images_per_second", s.ImagesPerSecond}, {"train/data_wait_seconds", s.DataWait},
		} {
			w.Scalar(at, step, v.tag, v.value)
		}
		if !math.IsNaN(s.Memory) {
			w.Scalar(at, step, "train/memory_mib", s.Memory)
		}
	}
	ends := r.epochEnds()
	for _, e := range r.History {
		index, known := ends[e.Epoch]
		step := int64(e.Epoch)
		if known {
			step = int64(r.Steps[index].Step)
		}
		at := clock(index)
		w.Scalar(at, step, "valid/loss", e.ValidLoss)
		w.Scalar(at, step, "valid/accuracy", e.Accuracy)
		w.Scalar(at, step, "valid/train_loss", e.TrainLoss)
	}
}

// eventHistograms is how many histograms of each module an event file gets:
// TensorBoard shows no more than some hundreds anyway.
const eventHistograms = 200

func (r *Run) activationEvents(w *tensorboard.Writer, clock func(int) time.Time) {
	a := r.Activations
	if a == nil || len(a.Steps) == 0 {
		return
	}
	every := (len(a.Steps) + eventHistograms - 1) / eventHistograms
	limits := make([]float64, HistogramBins)
	for b := range limits {
		limits[b] = 10 * float64(b+1) / HistogramBins
	}
	for m, name := range a.Modules {
		means, stds, near := a.Series(a.Mean, m), a.Series(a.Std, m), a.Series(a.NearZero, m)
		for s, step := range a.Steps {
			at := clock(int(step))
			w.Scalar(at, step, "activations/"+name+"/mean", means[s])
			w.Scalar(at, step, "activations/"+name+"/std", stds[s])
			w.Scalar(at, step, "activations/"+name+"/near_zero", near[s])
			if s%every != 0 {
				continue
			}
			h := tensorboard.Histogram{Max: 10, Limits: limits, Counts: make([]float64, HistogramBins)}
			for b := range h.Counts {
				count := float64(a.Histogram[(s*len(a.Modules)+m)*HistogramBins+b])
				middle := limits[b] - 5.0/HistogramBins
				h.Counts[b] = count
				h.Sum += count * middle
				h.SumSquares += count * middle * middle
			}
			w.Histogram(at, step, "activations/"+name, h)
		}
	}
}

func (r *Run) pictureEvents(w *tensorboard.Writer, clock func(int) time.Time) error {
	for _, p := range []struct {
		name  string
		first bool // belongs to the start of the run rather than its end
	}{{"show-batch", true}, {"top-losses", false}, {"confusion", false}} {
		content, err := os.ReadFile(filepath.Join(r.Dir, "plots", p.name+".png"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		config, err := png.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			return fmt.Errorf("plots/%s.png: %w", p.name, err)
		}
		at, step := clock(0), int64(0)
		if n := len(r.Steps); n > 0 && !p.first {
			at, step = clock(n-1), int64(r.Steps[n-1].Step)
		}
		w.Image(at, step, p.name, config.Width, config.Height, content)
	}
	return nil
}
