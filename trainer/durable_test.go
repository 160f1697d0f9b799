package trainer

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
)

// long tells whether the tests run in their long form.
func long() bool { return os.Getenv("ORRERY_LONG") != "" }

// inLong is n in the long form, a smaller number else.
func inLong(n, otherwise int) int {
	if long() {
		return n
	}
	return otherwise
}

// trained is the folder of a finished run with checkpoints every four steps and after the last.
func trained(t *testing.T, set *data.Dataset, recipe Recipe) string {
	t.Helper()
	run := newRun(t, recipe)
	o := options(run, set)
	o.Saving = DefaultSaving()
	o.Saving.Steps = 4
	if _, err := Fit(t.Context(), recipe, set, o); err != nil {
		t.Fatal(err)
	}
	closeRun(t, run)
	return run.Dir
}

// small is a recipe of a network of few bytes.
func smallest() Recipe {
	r := quick()
	r.Epochs = 1
	return r
}

func readCheckpoint(t *testing.T, dir string) (*Checkpoint, error) {
	t.Helper()
	scope := torch.NewScope()
	t.Cleanup(scope.Close)
	return ReadCheckpoint(dir)
}

func TestTheLastAndTheBestAreKept(t *testing.T) {
	set, recipe := colourSet(t, 40), quick()
	run := newRun(t, recipe)
	o := options(run, set)
	o.Saving = DefaultSaving()
	o.Saving.Steps, o.Saving.Keep = 5, 2
	if _, err := Fit(t.Context(), recipe, set, o); err != nil {
		t.Fatal(err)
	}
	closeRun(t, run)
	steps, err := stepCheckpoints(run.Dir)
	if err != nil || len(steps) != 2 || steps[0] != 24 {
		t.Errorf("checkpoints of steps %v are kept (%v), want 24 and the one before", steps, err)
	}
	_, head, err := openBest(t, run.Dir)
	if err != nil {
		t.Fatal(err)
	}
	best := 0.0
	for _, e := range head.Progress.History {
		best = max(best, e.Accuracy)
	}
	if last := head.Progress.History[len(head.Progress.History)-1]; last.Accuracy != best || best != head.Progress.Best {
		t.Errorf("the best checkpoint has an accuracy of %v, the best is %v", last.Accuracy, best)
	}
	if left, _ := filepath.Glob(filepath.Join(run.Dir, checkpointsDir, "*.tmp-*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func openBest(t *testing.T, dir string) (map[string]torch.Tensor, header, error) {
	t.Helper()
	scope := torch.NewScope()
	t.Cleanup(scope.Close)
	return readTensors(filepath.Join(dir, checkpointsDir, bestCheckpoint))
}

// TestTheNewestIsChosenByNumber: 9 comes before 10.
func TestTheNewestIsChosenByNumber(t *testing.T) {
	dir := trained(t, colourSet(t, 20), smallest())
	folder := filepath.Join(dir, checkpointsDir)
	for from, to := range map[int]int{4: 9, 6: 10} {
		if err := os.Rename(filepath.Join(folder, stepCheckpoint(from)), filepath.Join(folder, stepCheckpoint(to))); err != nil {
			t.Fatal(err)
		}
	}
	c, err := readCheckpoint(t, dir)
	if err != nil || filepath.Base(c.Path()) != stepCheckpoint(10) {
		t.Fatalf("read %v, %v; want step 10", c, err)
	}
}

// TestDamagedCheckpoints cuts the newest checkpoint anywhere and flips any bit:
// it is refused, and the one before stands in and says so.
func TestDamagedCheckpoints(t *testing.T) {
	dir := trained(t, colourSet(t, 40), smallest())
	newest := filepath.Join(dir, checkpointsDir, stepCheckpoint(12))
	whole, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		content, path, passed, err := readNewest(dir)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer content.Close()
		if path == newest || len(passed) != 1 || !strings.Contains(passed[0].Error(), newest) {
			t.Fatalf("%s: loaded %s, passed over %v", what, path, passed)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	truncations, flips := inLong(1000, 20), inLong(10000, 20)
	for i := range truncations {
		n := r.IntN(len(whole))
		if i < 100 {
			n = min(i*17, len(whole)-1) // the header is where a reader goes astray
		}
		if err := os.WriteFile(newest, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("cut after %d of %d bytes", n, len(whole)))
	}
	if err := os.WriteFile(newest, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(newest, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range flips {
		at := r.IntN(len(whole))
		if i%4 == 0 { // every fourth in the header
			at = r.IntN(min(len(whole), 20000))
		}
		bit := byte(1) << r.IntN(8)
		if _, err := f.WriteAt([]byte{whole[at] ^ bit}, int64(at)); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("bit %08b of byte %d flipped", bit, at))
		if _, err := f.WriteAt(whole[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	content, path, passed, err := readNewest(dir)
	if err != nil || path != newest || len(passed) > 0 {
		t.Fatalf("the mended file is not read: %s %v %v", path, passed, err)
	}
	content.Close()
	t.Logf("%d truncations and %d bit flips of a file of %d bytes: all refused, the one before loaded", truncations, flips, len(whole))
}

// TestAllDamaged: then nothing loads.
func TestAllDamaged(t *testing.T) {
	dir := trained(t, colourSet(t, 20), smallest())
	found, _ := filepath.Glob(filepath.Join(dir, checkpointsDir, "*.safetensors"))
	for _, path := range found {
		if err := os.Truncate(path, 5000); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := readCheckpoint(t, dir); err == nil || !strings.Contains(err.Error(), "no whole checkpoint is left") {
		t.Errorf("loaded %v, %v", c, err)
	}
}

// TestNaN: a loss that is no number stops the training and names step, files
// and rate; what is on the disk is finite.
func TestNaN(t *testing.T) {
	set, recipe := colourSet(t, 40), quick()
	recipe.Schedule, recipe.LearningRate = Flat, 1e30
	run := newRun(t, recipe)
	o := options(run, set)
	o.Saving = Saving{Steps: 1, Keep: 5}
	var log strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	_, err := Fit(t.Context(), recipe, set, o)
	closeRun(t, run)
	if !errors.Is(err, errNotFinite) || !strings.Contains(err.Error(), "lr 1e+30") || !strings.Contains(err.Error(), ".png") || !strings.Contains(err.Error(), "step ") {
		t.Fatalf("error %v; want one that names step, rate and files", err)
	}
	found, _ := filepath.Glob(filepath.Join(run.Dir, checkpointsDir, "*.safetensors"))
	for _, path := range found {
		scope := torch.NewScope()
		tensors, _, err := readTensors(path)
		if err != nil {
			t.Fatal(err)
		}
		host, err := toHost(tensors)
		if err != nil {
			t.Fatal(err)
		}
		for name, tensor := range host {
			if !finite(tensor) {
				t.Errorf("%s: %s is not finite", path, name)
			}
		}
		scope.Close()
	}
}

// nanAt spoils the loss of some steps, the first times they are met.
func nanAt(times int, steps ...int) func(int) bool {
	met := map[int]int{}
	return func(step int) bool {
		if slices.Contains(steps, step) && met[step] < times {
			met[step]++
			return true
		}
		return false
	}
}

func TestOnNaNSkip(t *testing.T) {
	set, recipe := colourSet(t, 40), quick()
	run := newRun(t, recipe)
	o := options(run, set)
	o.OnNaN, o.spoil = OnNaNSkip, nanAt(1, 3, 7)
	if _, err := Fit(t.Context(), recipe, set, o); err != nil {
		t.Fatal(err)
	}
	closeRun(t, run)
	if got := checkpointProgress(t, run.Dir).LeftOut; !slices.Equal(got, []int{3, 7}) {
		t.Errorf("steps %v were left out, want 3 and 7", got)
	}
	run = newRun(t, recipe)
	o = options(run, set)
	o.OnNaN, o.spoil = OnNaNSkip, func(step int) bool { return step >= 5 }
	_, err := Fit(t.Context(), recipe, set, o)
	closeRun(t, run)
	if !errors.Is(err, errNotFinite) || !strings.Contains(err.Error(), "in a row") {
		t.Errorf("a training of nothing but NaN went on: %v", err)
	}
}

func checkpointProgress(t *testing.T, dir string) progress {
	t.Helper()
	c, err := readCheckpoint(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return c.progress
}

// TestOnNaNRollback: the training that goes back ends as one that left the two
// steps out from the start.
func TestOnNaNRollback(t *testing.T) {
	set, recipe := colourSet(t, 40), quick()
	weights := map[string]map[string][]byte{}
	for name, spoil := range map[string]func(int) bool{"rolled back": nanAt(1, 7), "left out": nil} {
		run := newRun(t, recipe)
		o := options(run, set)
		o.OnNaN, o.spoil = OnNaNRollback, spoil
		o.Saving = Saving{Steps: 4, Keep: 3}
		if spoil == nil {
			o.OnNaN, o.spoil = OnNaNSkip, nanAt(1, 6, 7)
		}
		if _, err := Fit(t.Context(), recipe, set, o); err != nil {
			t.Fatal(name, err)
		}
		closeRun(t, run)
		weights[name] = modelBytes(t, run.Dir)
		text, err := os.ReadFile(run.path(stepsFile))
		if err != nil || strings.Count(string(text), "\n") != 1+24-2 {
			t.Errorf("%s: steps.csv has %d lines (%v), want a head and 22", name, strings.Count(string(text), "\n"), err)
		}
	}
	for name, bytes := range weights["left out"] {
		if string(weights["rolled back"][name]) != string(bytes) {
			t.Errorf("%s differs", name)
		}
	}
	run := newRun(t, recipe)
	o := options(run, set)
	o.OnNaN, o.spoil = OnNaNRollback, nanAt(1, 2)
	_, err := Fit(t.Context(), recipe, set, o)
	closeRun(t, run)
	if !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("rolled back to no checkpoint: %v", err)
	}
}

func TestParseSaveEvery(t *testing.T) {
	for text, want := range map[string]Saving{
		"5m": {Every: 5 * time.Minute}, "30s, 500 steps": {Every: 30 * time.Second, Steps: 500}, "1epoch": {Epochs: 1},
		"2epochs,10steps,1h": {Every: time.Hour, Steps: 10, Epochs: 2}, "never": {},
	} {
		if got, err := (Saving{}).ParseSaveEvery(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0s", "-5m", "steps", "0steps", "5", "1.5epochs", "5m,"} {
		if got, err := (Saving{}).ParseSaveEvery(text); err == nil || !strings.Contains(err.Error(), "500steps") {
			t.Errorf("%q: %+v, %v; want an error that shows the forms", text, got, err)
		}
	}
}

// TestChangesAreListed: each kind is refused by name, accepted by name.
func TestChangesAreListed(t *testing.T) {
	set, recipe := colourSet(t, 20), smallest()
	c, err := readCheckpoint(t, trained(t, set, recipe))
	if err != nil {
		t.Fatal(err)
	}
	other := recipe
	other.LearningRate = 0.1
	renamed := *set
	renamed.Classes = []string{"blue", "green", "violet"}
	fewer := *set
	fewer.Classes = set.Classes[:2]
	for _, test := range []struct {
		kind   Change
		words  string
		set    *data.Dataset
		recipe Recipe
		commit string
		world  int
	}{
		{ChangedRecipe, "lr was 0.003, is 0.1", set, other, "", 1},
		{ChangedData, "other pictures", colourSet(t, 21), recipe, "", 1},
		{ChangedClasses, "violet", &renamed, recipe, "", 1},
		{ChangedCode, "is 0123456789ab", set, recipe, "0123456789abcdef", 1},
		{ChangedWorld, "now it is 2", set, recipe, "", 2},
	} {
		_, err := c.Fits(test.set, test.recipe, test.commit, test.world)
		if err == nil || !strings.Contains(err.Error(), test.words) || !strings.Contains(err.Error(), "--accept-changes "+string(test.kind)) {
			t.Errorf("%s: %v", test.kind, err)
		}
		for _, accepted := range []Change{test.kind, AllChanges} {
			changes, err := c.Fits(test.set, test.recipe, test.commit, test.world, accepted)
			if err != nil || len(changes) != 1 || !strings.Contains(changes[0], test.words) {
				t.Errorf("%s accepted: %q, %v", test.kind, changes, err)
			}
		}
	}
	if _, err := c.Fits(&fewer, recipe, "", 1, AllChanges); err == nil {
		t.Error("a model of three classes fits two")
	}
}

// TestDiskThatRefuses takes the checkpoints folder away in mid-run and gives it
// back: the training goes on, says so, and saves again.
func TestDiskThatRefuses(t *testing.T) {
	set, recipe := colourSet(t, 40), quick()
	run := newRun(t, recipe)
	var log strings.Builder
	o := options(run, set)
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	o.Saving = Saving{Steps: 2, Epochs: 1, Keep: 3, Retry: time.Millisecond, Patience: time.Second}
	folder, away := run.path(checkpointsDir), run.path("away")
	o.Watchers = append(o.Watchers, atStep(func(step int) {
		var err error
		switch step {
		case 5:
			err = os.Rename(folder, away)
		case 15:
			err = os.Rename(away, folder)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	if _, err := Fit(t.Context(), recipe, set, o); err != nil {
		t.Fatal(err)
	}
	closeRun(t, run)
	if p := checkpointProgress(t, run.Dir); p.Step != 24 {
		t.Errorf("the last checkpoint is of step %d, want 24", p.Step)
	}
	for _, words := range []string{"checkpoint not written; the training goes on", "takes checkpoints again"} {
		if !strings.Contains(log.String(), words) {
			t.Errorf("the log does not say %q:\n%s", words, log.String())
		}
	}
}

// atStep calls back after each step.
type atStep func(step int)

func (atStep) EpochStarts(int, int, int) {}
func (atStep) EpochEnds(Epoch)           {}
func (f atStep) StepEnds(s Step)         { f(s.Step) }
