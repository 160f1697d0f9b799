package report

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestWriteMLflowReplacesTheSameRun(t *testing.T) {
	dir, store := writeSample(t, 2, 10, sampleClasses), filepath.Join(t.TempDir(), "my runs")
	first, err := WriteMLflow(dir, store)
	if err != nil {
		t.Fatal(err)
	}
	second, err := WriteMLflow(dir, store)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(first))
	if err != nil {
		t.Fatal(err)
	}
	if first != second || len(entries) != 2 {
		t.Errorf("two writes made %s and %s; the experiment holds %v", first, second, entries)
	}
	text, err := os.ReadFile(filepath.Join(first, "metrics", "valid", "accuracy"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines) != 2 || !strings.HasSuffix(lines[0], " 0.4 9") {
		t.Errorf("accuracy is %q", text)
	}
	if lr, _ := os.ReadFile(filepath.Join(first, "params", "lr")); string(lr) != "0.003" {
		t.Errorf("lr is %q", lr)
	}
}

// readMLflow prints, with MLflow's own client, what a store holds.
const readMLflow = `
import json, sys
from mlflow.tracking import MlflowClient
c = MlflowClient(tracking_uri=sys.argv[1])
e = c.get_experiment_by_name("orrery")
r = c.search_runs([e.experiment_id])[0]
json.dump({
    "name": r.info.run_name, "status": r.info.status, "params": r.data.params,
    "metrics": {k: [[m.step, m.value] for m in sorted(c.get_metric_history(r.info.run_id, k), key=lambda m: m.step)] for k in r.data.metrics},
    "artifacts": [a.path for a in c.list_artifacts(r.info.run_id)],
}, sys.stdout)
`

// MLflow itself reads the values back.
func TestMLflowReadsTheValues(t *testing.T) {
	python := os.Getenv("ORRERY_PYTHON")
	if python == "" {
		t.Skip("the tests' Python is not here; make setup-test installs it, scripts/setup/env.sh finds it")
	}
	dir, store := writeSample(t, 3, 12, sampleClasses), t.TempDir()
	if _, err := WriteMLflow(dir, store); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, "-W", "ignore", "-c", readMLflow, fileURI(store))
	command.Env = append(os.Environ(), "MLFLOW_ALLOW_FILE_STORE=true")
	var problems strings.Builder
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	var got struct {
		Name, Status string
		Params       map[string]string
		Metrics      map[string][][2]float64
		Artifacts    []string
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "planets-cnn8" || got.Status != "FINISHED" || got.Params["epochs"] != strconv.Itoa(3) {
		t.Errorf("MLflow sees %+v", got)
	}
	if n := len(got.Metrics["train/loss"]); n != 36 {
		t.Fatalf("MLflow sees %d losses, want 36", n)
	}
	for i, s := range r.Steps {
		if p := got.Metrics["train/loss"][i]; p != [2]float64{float64(s.Step), s.Loss} {
			t.Errorf("loss %d is %v, want %v", i, p, s.Loss)
		}
		if p := got.Metrics["train/memory_mib"][i]; p != [2]float64{float64(s.Step), s.Memory} {
			t.Errorf("memory %d is %v, want %v", i, p, s.Memory)
		}
	}
	for i, e := range r.History {
		if p := got.Metrics["valid/accuracy"][i]; p != [2]float64{float64(12*i + 11), e.Accuracy} {
			t.Errorf("accuracy %d is %v, want %v", i, p, e.Accuracy)
		}
	}
	if !strings.Contains(strings.Join(got.Artifacts, " "), "result.json") {
		t.Errorf("artifacts are %v", got.Artifacts)
	}
}
