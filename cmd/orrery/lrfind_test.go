package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/trainer"
)

func TestLRFind(t *testing.T) {
	set, dir := photos(t, 30, "blue", "green", "red"), t.TempDir()
	o := mustSucceed(t, orrery(t, dir, append([]string{"lr-find", set, "--json"}, small...)...))
	found := decode[trainer.LRFind](t, o.stdout)
	if len(found.Points) < 30 || found.Suggestions["valley"] <= 0 || found.Points[0][0] != 1e-7 {
		t.Errorf("%d points, suggestions %v", len(found.Points), found.Suggestions)
	}
	for _, name := range []string{"lr-find.png", "lr-find.svg", "lr-find.json"} {
		if info, err := os.Stat(filepath.Join(dir, "runs", "photos-lr-find", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	printed := mustSucceed(t, orrery(t, dir, append([]string{"lr-find", set, "-o", "found"}, small...)...)).stdout
	for _, word := range []string{"valley", "steep", "minimum", "use: --lr ", "found/lr-find.png"} {
		if !strings.Contains(printed, word) {
			t.Errorf("no %q in\n%s", word, printed)
		}
	}

	// The same rate by hand gives the same run: the finder leaves no trace.
	auto := decode[trainer.Result](t, mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "--lr", "auto", "-o", "auto", "--json")).stdout)
	if auto.Recipe.LearningRate != found.Suggestions["valley"] {
		t.Errorf("trained at %v, the finder suggests %v", auto.Recipe.LearningRate, found.Suggestions["valley"])
	}
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "--recipe", "auto/recipe.yaml", "-o", "byhand"))
	if model := func(run string) string { return read(t, filepath.Join(dir, run, "model.safetensors")) }; model("auto") != model("byhand") {
		t.Error("the weights differ from those of a run that was given the rate")
	}
	if page := read(t, filepath.Join(dir, "auto", "report.html")); !strings.Contains(page, `id="lr-find"`) {
		t.Error("the report does not show the finder's curve")
	}
	fails(t, trainSmall(t, dir, set, "--lr", "fast"), exitUsage, "fast", "auto")
	fails(t, orrery(t, dir, "ladder", set, "--lr", "auto"), exitUsage, "lr-find")
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
