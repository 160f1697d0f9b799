package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMistakesOnTheCommandLine(t *testing.T) {
	dir := photos(t, 10, "blue", "red")
	for _, test := range []struct {
		args  []string
		words []string
	}{
		{[]string{"trian", dir}, []string{`"trian"`, `"train"`}},
		{[]string{"train", dir, "--epoch", "3"}, []string{"--epoch;", "--epochs"}},
		{[]string{"train", dir, "--lr", "NaN"}, []string{"lr is NaN"}},
		{[]string{"train", dir, "--lr", "fast"}, []string{"fast"}},
		{[]string{"train", dir, "--schedule", "onecycle"}, []string{"onecycle", "one-cycle"}},
		{[]string{"train"}, []string{"no data"}},
		{[]string{"train", dir, dir}, []string{"one DATA"}},
		{[]string{"train", dir, "--valid-pct", "2"}, []string{"valid-pct is 2"}},
		{[]string{"ladder", dir, "--epochs", "3"}, []string{"--epochs"}},
		{[]string{"ladder", dir, "--seeds", "0"}, []string{"seeds is 0"}},
		{[]string{"evaluate", dir}, []string{"RUN and DATA"}},
		{[]string{"predict", dir}, []string{"PICTURE"}},
	} {
		t.Run(strings.Join(test.args[:1], " "), func(t *testing.T) {
			fails(t, orrery(t, t.TempDir(), test.args...), exitUsage, test.words...)
		})
	}
}

func TestARecipeFileWithAnUnknownKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "r.yaml"), []byte("lr: 0.01\nepoch: 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	fails(t, orrery(t, dir, "train", "photos", "--recipe", "r.yaml"), exitUsage, "r.yaml", "line 2", `"epoch"`, `"epochs"`)
}

func TestDataThatIsNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "photo.jpg"), []byte("not a folder"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "one", "earth"), 0o755); err != nil {
		t.Fatal(err)
	}
	for source, word := range map[string]string{"photo.jpg": "photo.jpg", "nowhere": "nowhere", "one": "one"} {
		fails(t, orrery(t, dir, "train", source), exitFailed, word)
	}
	if entries, _ := filepath.Glob(filepath.Join(dir, "runs", "*")); len(entries) > 0 {
		t.Errorf("failed trainings left %v", entries)
	}
}

func TestFlagsAndPrintRecipe(t *testing.T) {
	o := mustSucceed(t, orrery(t, t.TempDir(), "train", "photos", "--print-recipe", "--epochs=3", "-b", "16", "--seed", "7"))
	for _, line := range []string{"data: photos", "epochs: 3", "batch_size: 16", "seed: 7", "split_seed: 7", "model: cnn8"} {
		if !strings.Contains(o.stdout, line+"\n") {
			t.Errorf("the recipe lacks %q:\n%s", line, o.stdout)
		}
	}
}

func TestReorder(t *testing.T) {
	for in, want := range map[string]string{
		"orrery train photos --epochs 3 --json": "orrery train --epochs 3 --json photos",
		"orrery train --epochs=3 photos":        "orrery train --epochs=3 photos",
		"orrery predict run -- --odd-name.jpg":  "orrery predict run -- --odd-name.jpg",
		"orrery train photos -b 8 -o out":       "orrery train -b 8 -o out photos",
		"orrery nothing --epochs":               "orrery nothing --epochs",
		"orrery --version":                      "orrery --version",
	} {
		if got := reorder(strings.Fields(in)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("reorder(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDoctor(t *testing.T) {
	cache := t.TempDir()
	if err := os.MkdirAll(filepath.Join(cache, "orrery"), 0o755); err != nil {
		t.Fatal(err)
	}
	// As --kernels auto leaves it: layer, seconds with our kernels, seconds with libtorch's.
	if err := os.WriteFile(filepath.Join(cache, "orrery", "kernels"), []byte("a layer\t0.002\t0.001\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := command(t, t.TempDir(), "doctor", "--json")
	c.Env = append(c.Env, "XDG_CACHE_HOME="+cache)
	d := decode[diagnosis](t, mustSucceed(t, finish(t, c)).stdout)
	if d.Cores < 1 || d.Libtorch == "" || d.Trouble != "" || d.Kernels == "" {
		t.Errorf("doctor says %+v", d)
	}
	if want := []string{"a layer\t2.000\t1.000\tlibtorch"}; !slices.Equal(d.Choices, want) {
		t.Errorf("doctor tells choices %q, want %q", d.Choices, want)
	}
}

func TestWithoutLibtorch(t *testing.T) {
	dir := photos(t, 20, "blue", "red")
	c := command(t, t.TempDir(), append([]string{"train", dir}, small...)...)
	c.Env = append(c.Env, "ORRERY_LIB="+t.TempDir())
	o := finish(t, c)
	fails(t, o, exitFailed, "libcgotorch.so")
	if strings.Contains(o.stderr, "goroutine") {
		t.Errorf("a stack was printed:\n%s", o.stderr)
	}
}
