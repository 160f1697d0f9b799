package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/report"
)

func TestActivations(t *testing.T) {
	set, dir := photos(t, 30, "blue", "green", "red"), t.TempDir()
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "2", "-o", "seen", "--activations", "--mlflow", "store"))
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "2", "-o", "unseen"))
	if read(t, filepath.Join(dir, "seen", "model.safetensors")) == "" {
		t.Error("no weights")
	}
	if steps := func(run string) string { return column(t, filepath.Join(dir, run, "steps.csv"), 4) }; steps("seen") != steps("unseen") {
		t.Errorf("losses with --activations %s, without %s", steps("seen"), steps("unseen"))
	}
	kept, err := report.LoadActivations(filepath.Join(dir, "seen", "activations.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.Modules) != 15 || len(kept.Steps) == 0 || kept.Steps[len(kept.Steps)-1] != int64(len(kept.Steps)-1) {
		t.Errorf("%d layers, steps %v", len(kept.Modules), kept.Steps)
	}
	for _, name := range []string{"plots/activations.png", "plots/batch.png"} {
		if _, err := os.Stat(filepath.Join(dir, "seen", name)); err != nil && name != "plots/batch.png" { // a short run ends before the batch is drawn
			t.Error(err)
		}
	}
	if events, _ := filepath.Glob(filepath.Join(dir, "seen", "events.out.tfevents.*")); len(events) != 1 {
		t.Errorf("event files %v, want one", events)
	}
	if params, _ := filepath.Glob(filepath.Join(dir, "store", "*", "*", "params", "batch_size")); len(params) != 1 {
		t.Errorf("MLflow's store has the parameters %v", params)
	}
	if page := read(t, filepath.Join(dir, "seen", "report.html")); !strings.Contains(page, `id="activations"`) {
		t.Error("the report shows no activations")
	}
	states := decode[[]report.ModuleState](t, mustSucceed(t, orrery(t, dir, "activations", "seen", "--json")).stdout)
	if len(states) != 15 || states[0].Module != "0.0.conv2d" || states[1].Std < 0.5 {
		t.Errorf("states %+v", states)
	}
	printed := mustSucceed(t, orrery(t, dir, "activations", "seen", "--layer", "1")).stdout
	if !strings.Contains(printed, "0.2.batchnorm2d") || !strings.Contains(printed, "activations-1.png") {
		t.Errorf("printed\n%s", printed)
	}
	fails(t, orrery(t, dir, "activations", "seen", "--layer", "15"), exitUsage, "0 to 14")
	fails(t, orrery(t, dir, "activations", "unseen"), exitFailed, "--activations")
}

// column is one column of a CSV file without its head.
func column(t *testing.T, path string, index int) string {
	t.Helper()
	var values []string
	for _, line := range strings.Split(strings.TrimSpace(read(t, path)), "\n")[1:] {
		values = append(values, strings.Split(line, ",")[index])
	}
	return strings.Join(values, " ")
}
