package trainer

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// onlyLayers wants activation statistics, which health looks at, and does nothing with them.
type onlyLayers struct{ residentAt }

func (*onlyLayers) Layers([]string)            {}
func (*onlyLayers) Activations(int, []float64) {}

// warnings are the records of a JSON log that warn with a text.
func warnings(t *testing.T, log, text string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(log) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record["level"] == "WARN" && strings.Contains(record["msg"].(string), text) {
			found = append(found, record)
		}
	}
	return found
}

// fitLogged trains and gives the log.
func fitLogged(t *testing.T, recipe Recipe, watchers ...Watcher) string {
	t.Helper()
	set, run := colourSet(t, 40), newRun(t, recipe)
	defer closeRun(t, run)
	var log strings.Builder
	o := options(run, set, watchers...)
	o.Log = slog.New(slog.NewJSONHandler(&log, nil))
	if _, err := Fit(t.Context(), recipe, set, o); err != nil {
		t.Fatal(err)
	}
	return log.String()
}

// Without BatchNorm, and trained by next to nothing, what the deep layers return stays near zero.
func TestDeadLayersAreTold(t *testing.T) {
	recipe := quick()
	recipe.BatchNorm, recipe.LearningRate, recipe.Schedule, recipe.Epochs = false, 1e-9, Flat, 3 // 36 steps
	recipe.Width = 0.25
	log := fitLogged(t, recipe, &onlyLayers{})
	found := warnings(t, log, "a layer is dead")
	layers := map[any]bool{}
	for _, w := range found {
		if layers[w["layer"]] || w["step"] != float64(deadSteps-1) || w["near_zero"].(float64) <= deadShare {
			t.Errorf("warning %v; want each layer once, at step %d, above %v", w, deadSteps-1, deadShare)
		}
		layers[w["layer"]] = true
	}
	if len(found) == 0 {
		t.Errorf("no layer was called dead:\n%s", log)
	}
	recipe.BatchNorm, recipe.LearningRate = true, 0.003
	for _, w := range warnings(t, fitLogged(t, recipe, &onlyLayers{}), "a layer is dead") {
		if strings.Contains(w["layer"].(string), "batchnorm") {
			t.Errorf("a layer that BatchNorm keeps alive is called dead: %v", w)
		}
	}
}

// A rate of next to nothing leaves the loss where guessing has it; a good one does not.
func TestLossAtChanceIsTold(t *testing.T) {
	recipe := quick()
	recipe.BatchNorm, recipe.LearningRate, recipe.Schedule, recipe.Epochs = false, 1e-9, Flat, 13 // 156 steps
	recipe.Width = 0.25
	found := warnings(t, fitLogged(t, recipe), "that of guessing")
	if len(found) != 1 || found[0]["step"] != 149.0 || found[0]["guessing"] != 1.0986 {
		t.Errorf("warnings %v; want one at step 149 that guessing among three classes has 1.0986", found)
	}
	recipe.BatchNorm, recipe.LearningRate = true, 0.003
	if found := warnings(t, fitLogged(t, recipe), "that of guessing"); len(found) != 0 {
		t.Errorf("a training that learns is warned of: %v", found)
	}
}

// A loss that had fallen and is back at chance is told after one window.
func TestCollapseIsTold(t *testing.T) {
	var log strings.Builder
	h := health{}
	for step := range 4 * lossWindow {
		loss := 0.5
		if step >= 2*lossWindow {
			loss = 1.1
		}
		h.seeLoss(slog.New(slog.NewJSONHandler(&log, nil)), step, 3, loss)
	}
	if found := warnings(t, log.String(), "that of guessing"); len(found) != 1 || found[0]["step"] != float64(3*lossWindow-1) {
		t.Errorf("warnings %v; want one at step %d", found, 3*lossWindow-1)
	}
}

// A layer that is near zero now and then lives.
func TestLayersThatComeBackLive(t *testing.T) {
	var log strings.Builder
	h := health{layers: make([]int, 1)}
	for step := range 3 * deadSteps {
		row := make([]float64, torch.Statistics)
		row[2] = 1
		if step%deadSteps == deadSteps-1 {
			row[2] = 0.9
		}
		h.seeLayers(slog.New(slog.NewJSONHandler(&log, nil)), step, []string{"0.relu"}, row)
	}
	if log.Len() != 0 {
		t.Errorf("warned: %s", log.String())
	}
}

// steps.csv tells the memory after every step: no more than the process held at its peak.
func TestStepsTellTheMemory(t *testing.T) {
	set, recipe := colourSet(t, 20), smallest()
	run := newRun(t, recipe)
	defer closeRun(t, run)
	var seen memories
	if _, err := Fit(t.Context(), recipe, set, options(run, set, &seen)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skip("resident memory is read from Linux's /proc")
	}
	peak := float64(peakRSS()) / (1 << 20)
	for step, mib := range seen.mib {
		if mib < 20 || mib > peak {
			t.Errorf("step %d held %v MiB, the process %v at most", step, mib, peak)
		}
	}
	text, err := os.ReadFile(run.path(stepsFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines)-1 != len(seen.mib) || !strings.HasSuffix(lines[0], ",memory_mib") || !strings.HasSuffix(lines[1], ","+known(seen.mib[0])) {
		t.Errorf("steps.csv begins with\n%s\n%s\nfor %v MiB", lines[0], lines[1], seen.mib[0])
	}
}

// memories keeps what each step says of the memory.
type memories struct{ mib []float64 }

func (m *memories) EpochStarts(int, int, int) {}
func (m *memories) EpochEnds(Epoch)           {}
func (m *memories) StepEnds(s Step)           { m.mib = append(m.mib, s.MemoryMiB) }
