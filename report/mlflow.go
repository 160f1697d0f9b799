package report

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// mlflowExperiment is the experiment that runs go to: any number will do as its id.
const (
	mlflowExperiment   = "orrery"
	mlflowExperimentID = "5071837260915"
)

// WriteMLflow adds the run folder dir to an MLflow file store, the folder that
// `mlflow ui --backend-store-uri FOLDER` shows: metrics by step, the recipe as
// parameters, the note, and the run folder itself as the artifacts. Writing
// the same run again replaces it. It returns the run's folder in the store.
// (MLflow 3 wants MLFLOW_ALLOW_FILE_STORE=true to open file stores.)
func WriteMLflow(dir, store string) (string, error) {
	r, err := Load(dir)
	if err != nil {
		return "", err
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	base, err := filepath.Abs(store)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(full))
	id := hex.EncodeToString(sum[:16])
	experiment := filepath.Join(base, mlflowExperimentID)
	if err := os.MkdirAll(experiment, 0o777); err != nil {
		return "", fmt.Errorf("MLflow store: %w", err)
	}
	clock := r.wallClock()
	start, end := clock(-1), clock(len(r.Steps)-1)
	meta := filepath.Join(experiment, "meta.yaml")
	if _, err := os.Stat(meta); errors.Is(err, os.ErrNotExist) {
		if err := writeYAML(meta, map[string]any{
			"artifact_location": fileURI(experiment), "experiment_id": mlflowExperimentID, "name": mlflowExperiment, "lifecycle_stage": "active",
			"creation_time": start.UnixMilli(), "last_update_time": start.UnixMilli(),
		}); err != nil {
			return "", fmt.Errorf("MLflow store: %w", err)
		}
	}
	building, err := os.MkdirTemp(experiment, ".run-")
	if err != nil {
		return "", fmt.Errorf("MLflow store: %w", err)
	}
	defer os.RemoveAll(building) // gone once it was renamed
	const finished, running = 3, 1
	status := running
	if r.Result != nil {
		status = finished
	}
	about := map[string]any{
		"artifact_uri": fileURI(full), "experiment_id": mlflowExperimentID, "run_id": id, "run_name": r.Name, "lifecycle_stage": "active",
		"start_time": start.UnixMilli(), "status": status, "user_id": "", "source_name": "", "source_type": 4, "source_version": "",
		"entry_point_name": "", "tags": []string{}, "end_time": nil,
	}
	if status == finished {
		about["end_time"] = end.UnixMilli()
	}
	err = errors.Join(writeYAML(filepath.Join(building, "meta.yaml"), about), r.mlflowFiles(building, clock))
	target := filepath.Join(experiment, id)
	if err == nil {
		err = os.RemoveAll(target)
	}
	if err == nil {
		err = os.Chmod(building, 0o755)
	}
	if err == nil {
		err = os.Rename(building, target)
	}
	if err != nil {
		return "", fmt.Errorf("MLflow store: %w", err)
	}
	return target, nil
}

// mlflowFiles writes params/KEY, tags/KEY, and metrics/KEY with a line
// "milliseconds value step" for each value.
func (r *Run) mlflowFiles(folder string, clock func(int) time.Time) error {
	files := map[string]string{"tags/mlflow.runName": r.Name, "tags/mlflow.source.name": "orrery"}
	if note, err := os.ReadFile(filepath.Join(r.Dir, "note.txt")); err == nil {
		files["tags/mlflow.note.content"] = string(note)
	}
	for _, f := range recipeFacts(r.Recipe) {
		files["params/"+mlflowKey(f.Name)] = f.Value
	}
	metrics := map[string]*strings.Builder{}
	add := func(key string, at time.Time, value float64, step int) {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return
		}
		b := metrics[key]
		if b == nil {
			b = &strings.Builder{}
			metrics[key] = b
		}
		fmt.Fprintf(b, "%d %s %d\n", at.UnixMilli(), strconv.FormatFloat(value, 'g', -1, 64), step)
	}
	for i, s := range r.Steps {
		at := clock(i)
		add("train/loss", at, s.Loss, s.Step)
		add("train/smoothed_loss", at, s.SmoothedLoss, s.Step)
		add("train/lr", at, s.LearningRate, s.Step)
		add("train/momentum", at, s.Momentum, s.Step)
		add("train/images_per_second", at, s.ImagesPerSecond, s.Step)
		add("train/memory_mib", at, s.Memory, s.Step)
	}
	ends := r.epochEnds()
	for _, e := range r.History {
		at, step := clock(ends[e.Epoch]), e.Epoch
		if i, ok := ends[e.Epoch]; ok {
			step = r.Steps[i].Step
		}
		add("valid/loss", at, e.ValidLoss, step)
		add("valid/accuracy", at, e.Accuracy, step)
	}
	for key, text := range metrics {
		files["metrics/"+key] = text.String()
	}
	// MLflow takes a folder for a run only when it has all four of these.
	for _, name := range []string{"artifacts", "metrics", "params", "tags"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			return err
		}
	}
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// mlflowKey keeps the characters that MLflow allows in a name.
func mlflowKey(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ", r) {
			return r
		}
		return '_'
	}, strings.Trim(name, "./"))
}

func fileURI(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

func writeYAML(path string, value any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o666)
}
