package bench

import (
	"log/slog"
	"math"
	"math/rand/v2"
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
	testdata.NoisySet(t, dir, rand.New(rand.NewPCG(5, 6)), 44, 40, each, "a", "b")
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

// TestEpochSteps times short epochs whole, and so many steps of long ones.
func TestEpochSteps(t *testing.T) {
	o := tiny()
	o.Set = noise(t, 20) // 32 to train on
	for _, c := range []struct{ batch, steps, want int }{{8, 3, 4}, {8, 4, 4}, {8, 5, 8}, {4, 2, 8}, {2, 3, 3}} {
		o.Steps = c.steps
		if got := o.epochSteps(c.batch); got != c.want {
			t.Errorf("%d steps, batches of %d: %d are timed, want %d", c.steps, c.batch, got, c.want)
		}
	}
}

// TestRowsOfTheStoreDecodeNothing has all that is read stored before a row of it is timed.
func TestRowsOfTheStoreDecodeNothing(t *testing.T) {
	set, recipe := noise(t, 300), tiny().Recipes[0]
	o := tiny()
	o.Set, o.Steps = set, 40
	s := &session{Options: o, folder: t.TempDir(), meter: &meter{}, report: &Report{}}
	// Less than an epoch, and two, between which the 120 pictures of validation are decoded.
	for batch, validated := range map[int]int64{2: 0, 16: 120} {
		recipe.BatchSize = batch
		pictures, closeStore, err := s.newStore(recipe)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.decode(t.Context(), recipe, pictures); err != nil {
			t.Fatal(err)
		}
		store := pictures.(*data.Store)
		before := store.Stats().Misses
		p, err := s.trainStored(t.Context(), recipe, store)
		if err != nil || len(p.steps) < o.Steps {
			t.Fatalf("%d steps: %v", len(p.steps), err)
		}
		if n := store.Stats().Misses - before; n != validated {
			t.Errorf("batches of %d: %d pictures were decoded in a row of stored ones, want %d", batch, n, validated)
		}
		if err := closeStore(); err != nil {
			t.Fatal(err)
		}
	}
}
