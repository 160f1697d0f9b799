package trainer

import (
	"math"
	"testing"
)

// residentAt notes how much memory the process holds after some steps.
type residentAt struct {
	mib map[int]float64 // by step; a key for each step that is wanted
}

func (r *residentAt) EpochStarts(int, int, int) {}
func (r *residentAt) EpochEnds(Epoch)           {}
func (r *residentAt) StepEnds(step Step) {
	if _, wanted := r.mib[step.Step]; wanted {
		r.mib[step.Step] = step.MemoryMiB
	}
}

// TestMemoryIsFlat trains on for 350 steps after the 50th. A batch kept in each would hold 34 MB more at the end, a
// step's weights or gradients 2 GB.
func TestMemoryIsFlat(t *testing.T) {
	const early, late, most = 50, 400, 16.0
	set, recipe := colourSet(t, 40), quick()
	recipe.Epochs = 34 // of 12 steps
	run := newRun(t, recipe)
	defer closeRun(t, run)
	watcher := &residentAt{mib: map[int]float64{early: 0, late: 0}}
	if _, err := Fit(t.Context(), recipe, set, options(run, set, watcher)); err != nil {
		t.Fatal(err)
	}
	if math.IsNaN(watcher.mib[early]) {
		t.Skip("resident memory is read from Linux's /proc")
	}
	if watcher.mib[early] == 0 || watcher.mib[late] == 0 {
		t.Fatalf("not every step was seen: %v", watcher.mib)
	}
	if grown := watcher.mib[late] - watcher.mib[early]; grown > most {
		t.Errorf("resident memory grew by %.1f MiB from step %d to %d, of %.1f; want at most %v", grown, early, late, watcher.mib[early], most)
	}
}
