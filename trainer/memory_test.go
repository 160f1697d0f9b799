package trainer

import (
	"fmt"
	"os"
	"testing"
)

// residentAt notes how much memory the process holds after some steps.
type residentAt struct {
	t     *testing.T
	bytes map[int]int64 // by step; a key for each step that is wanted
}

func (r *residentAt) EpochStarts(int, int, int) {}
func (r *residentAt) EpochEnds(Epoch)           {}
func (r *residentAt) StepEnds(step Step) {
	if _, wanted := r.bytes[step.Step]; wanted {
		r.bytes[step.Step] = resident(r.t)
	}
}

// resident is what the process holds now, in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("resident memory is read from Linux's /proc: ", err)
	}
	var total, pages int64
	if _, err := fmt.Sscan(string(text), &total, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestMemoryIsFlat trains on for 350 steps after the 50th. A batch kept in each would hold 34 MB more at the end, a
// step's weights or gradients 2 GB.
func TestMemoryIsFlat(t *testing.T) {
	const early, late, most = 50, 400, 16 << 20
	set, recipe := colourSet(t, 40), quick()
	recipe.Epochs = 34 // of 12 steps
	run := newRun(t, recipe)
	defer closeRun(t, run)
	watcher := &residentAt{t: t, bytes: map[int]int64{early: 0, late: 0}}
	if _, err := Fit(t.Context(), recipe, set, options(run, set, watcher)); err != nil {
		t.Fatal(err)
	}
	if watcher.bytes[early] == 0 || watcher.bytes[late] == 0 {
		t.Fatalf("not every step was seen: %v", watcher.bytes)
	}
	if grown := watcher.bytes[late] - watcher.bytes[early]; grown > most {
		t.Errorf("resident memory grew by %d bytes from step %d to %d, of %d; want at most %d", grown, early, late, watcher.bytes[early], most)
	}
}
