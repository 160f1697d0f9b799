package bench

import (
	"fmt"
	"image"
	"image/color"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/trainer"
)

// noise writes a set of two classes of random pictures.
func noise(t *testing.T, each int) *data.Dataset {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 6))
	for _, class := range []string{"a", "b"} {
		for i := range each {
			picture := image.NewNRGBA(image.Rect(0, 0, 44, 40))
			for p := range 44 * 40 {
				picture.SetNRGBA(p%44, p/44, color.NRGBA{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256)), 255})
			}
			testdata.WritePNG(t, filepath.Join(dir, class, fmt.Sprintf("%d.png", i)), picture)
		}
	}
	set, err := data.Open(t.Context(), dir, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// TestRatesAreTrainsOwn has a stopwatch that leaves no step out watch a whole
// training: it must say what the training's own result does.
func TestRatesAreTrainsOwn(t *testing.T) {
	set, recipe := noise(t, 20), tiny().Recipes[0]
	recipe.BatchSize, recipe.Epochs = 8, 2
	w := &stopwatch{probe: newProbe(&meter{}), steps: 1 << 20, batch: recipe.BatchSize}
	result, err := trainer.Fit(t.Context(), recipe, set, trainer.Options{
		Pictures: data.NewCache(set, 0), Watchers: []trainer.Watcher{w}, Log: slog.New(slog.DiscardHandler), Started: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(w.p.steps) != 8 {
		t.Errorf("%d steps were seen, want 8", len(w.p.steps))
	}
	// A time is whole nanoseconds.
	if got := w.p.rate(); math.Abs(got-result.ImagesPerSecond) > 1e-6*got {
		t.Errorf("bench has %v images/s, the training %v", got, result.ImagesPerSecond)
	}
	if got := w.p.waits.Seconds() / w.p.total.Seconds(); math.Abs(got-result.DataWaitFraction) > 1e-5 {
		t.Errorf("bench waits for %v of the time, the training for %v", got, result.DataWaitFraction)
	}
}
