package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/wangkuiyi/orrery/trainer"
)

// plainEvery is how often a line of progress is written where there is no terminal.
const plainEvery = 10 * time.Second

// isTerminal reports whether w is one that bars can be drawn on.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// An epochTable is fastai's table, a line an epoch, with one progress bar per
// epoch on a terminal and plain lines elsewhere.
type epochTable struct {
	table, progress io.Writer // results and progress
	terminal        bool

	head   bool
	epochs int
	steps  int
	done   int                    // of the epoch's steps
	status atomic.Pointer[string] // right of the bar; mpb reads it from its own goroutine
	spoke  time.Time
	bars   *mpb.Progress
	bar    *mpb.Bar
}

func newEpochTable(table, progress io.Writer) *epochTable {
	return &epochTable{table: table, progress: progress, terminal: isTerminal(progress)}
}

func (t *epochTable) EpochStarts(epoch, epochs, steps int) {
	if !t.head {
		fmt.Fprintf(t.table, "%-10s%-12s%-12s%-10s%-6s\n", "epoch", "train_loss", "valid_loss", "accuracy", "time")
		t.head = true
	}
	t.epochs, t.steps, t.done, t.spoke = epochs, steps, 0, time.Now()
	if !t.terminal {
		return
	}
	t.status.Store(new(string))
	t.bars = mpb.New(mpb.WithOutput(t.progress), mpb.WithWidth(40))
	t.bar = t.bars.AddBar(int64(steps), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("epoch %d/%d ", epoch+1, epochs)), decor.CountersNoUnit("%d/%d ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *t.status.Load() }), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_MMSS), "validating")))
}

func (t *epochTable) StepEnds(s trainer.Step) {
	t.done++
	status := fmt.Sprintf(" loss %.4f  %.0f img/s  lr %.2e  ", s.SmoothedLoss, s.ImagesPerSecond, s.LearningRate)
	t.status.Store(&status)
	if t.terminal {
		t.bar.Increment()
		return
	}
	if now := time.Now(); now.Sub(t.spoke) >= plainEvery {
		t.spoke = now
		fmt.Fprintf(t.progress, "epoch %d/%d  step %d/%d %s\n", s.Epoch+1, t.epochs, t.done, t.steps, status)
	}
}

func (t *epochTable) EpochEnds(e trainer.Epoch) {
	t.close()
	seconds := int(e.Seconds + 0.5)
	fmt.Fprintf(t.table, "%-10d%-12.6f%-12.6f%-10.6f%02d:%02d\n", e.Epoch, e.TrainLoss, e.ValidLoss, e.Accuracy, seconds/60, seconds%60)
}

// close takes the bar away, also when the epoch did not end.
func (t *epochTable) close() {
	if t.bar != nil {
		t.bar.Abort(true)
		t.bars.Wait()
		t.bar, t.bars = nil, nil
	}
}
