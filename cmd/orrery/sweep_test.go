package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSweep trains four runs in two processes, goes on after one was lost, and tries a failed one again.
func TestSweep(t *testing.T) {
	set, dir := photos(t, 10, "blue", "red"), t.TempDir()
	recipe := filepath.Join(dir, "small.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(recipe, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := "# small\nsize: 32\nitem_size: 40\nbatch_size: 8\nthreads: 1\nepochs: 1\ndata: " + set + "\n"
	write(text)
	sweepArgs := []string{"sweep", recipe, "lr=1e-3,3e-3", "seed=1..2", "-j", "2", "-o", "sweep"}
	lines := decode[[]sweepLine](t, mustSucceed(t, orrery(t, dir, append(sweepArgs, "--json")...)).stdout)
	if len(lines) != 4 || lines[0].Name != "lr=1e-3 seed=1" || lines[3].Name != "lr=3e-3 seed=2" || lines[3].Recipe.LearningRate != 0.003 || lines[3].Recipe.Seed != 2 {
		t.Fatalf("the sweep: %+v", lines)
	}
	when := func() (times []time.Time) {
		for _, l := range lines {
			info, err := os.Stat(filepath.Join(dir, l.Run, "result.json"))
			if err != nil || l.Error != "" || !(l.Loss > 0) {
				t.Fatalf("%+v: %v", l, err)
			}
			times = append(times, info.ModTime())
		}
		return times
	}
	before := when()
	// One is lost; the same command trains that one alone, and shows all in a table.
	if err := os.RemoveAll(filepath.Join(dir, lines[1].Run)); err != nil {
		t.Fatal(err)
	}
	table := mustSucceed(t, orrery(t, dir, sweepArgs...)).stdout
	for i, after := range when() {
		if after.Equal(before[i]) == (i == 1) {
			t.Errorf("run %d was trained again: %v", i, i != 1)
		}
	}
	for _, word := range []string{"lr=1e-3 seed=1", "lr=3e-3 seed=2", "ACCURACY"} {
		if !strings.Contains(strings.ToUpper(table), strings.ToUpper(word)) {
			t.Errorf("the table lacks %s:\n%s", word, table)
		}
	}
	kept := decode[[]sweepLine](t, read(t, filepath.Join(dir, "sweep", "sweep.json")))
	if len(kept) != 4 || kept[1].Error != "" {
		t.Errorf("sweep.json: %+v", kept)
	}
	// The finished runs are of this recipe and no other.
	write(text + "weight_decay: 0.1\n")
	fails(t, orrery(t, dir, sweepArgs...), exitFailed, "sweep", "another recipe", "--output")
	// A run that fails is in the table, the others are trained.
	write(text)
	o := orrery(t, dir, "sweep", recipe, "batch_size=8,64", "-o", "failing")
	fails(t, o, exitFailed, "1 of 2 runs failed")
	if !strings.Contains(o.stdout, "batch size 64 is larger") {
		t.Errorf("the table:\n%s", o.stdout)
	}
	fails(t, orrery(t, dir, "sweep", recipe, "lrr=1"), exitUsage, "lrr", `"lr"`)
	fails(t, orrery(t, dir, "sweep", recipe, "seed=5..1"), exitUsage, "5..1")
	fails(t, orrery(t, dir, "sweep", recipe, "seed=1", "seed=2"), exitUsage, "seed", "twice")
	fails(t, orrery(t, dir, "sweep", recipe, "epochs=0"), exitUsage, "epochs is 0")
	fails(t, orrery(t, dir, "sweep", recipe), exitUsage, "key=1..5", "seed=1..5")
}
