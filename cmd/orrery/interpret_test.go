package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func TestInterpret(t *testing.T) {
	set, dir := photos(t, 30, "blue", "green", "red"), t.TempDir()
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "3", "-o", "run"))
	if page := read(t, filepath.Join(dir, "run", "report.html")); !strings.Contains(page, `id="grad-cam"`) {
		t.Error("the report shows no Grad-CAM")
	}
	i := decode[report.Interpretation](t, mustSucceed(t, orrery(t, dir, "interpret", "run", set, "--json")).stdout)
	e := decode[trainer.Evaluation](t, mustSucceed(t, orrery(t, dir, "evaluate", "run", set, "--json")).stdout)
	if i.Images != 90 || math.Abs(i.Accuracy-e.Accuracy) > 1e-12 || math.Abs(*i.Loss-e.Loss) > 1e-6 || *i.Top5 != e.Top5 {
		t.Errorf("%d pictures, accuracy %v, loss %v; evaluate says %v and %v", i.Images, i.Accuracy, *i.Loss, e.Accuracy, e.Loss)
	}
	if len(i.Classes) != 3 || i.Classes[0].Support != 30 || len(i.Calibration) == 0 || i.ECE == nil || i.TTAAccuracy == nil || len(i.TopLosses) != 9 {
		t.Errorf("interpretation %+v", i)
	}
	if i.TopLosses[0].Loss < i.TopLosses[8].Loss || math.Abs(i.TopLosses[0].Loss-e.TopLosses[0].Loss) > 1e-5 {
		t.Errorf("the highest loss is %v, evaluate says %v", i.TopLosses[0].Loss, e.TopLosses[0].Loss)
	}
	for _, name := range []string{"confusion.png", "confusion-normalised.svg", "reliability.png", "top-losses.png", "grad-cam.png", "interpretation.json"} {
		if info, err := os.Stat(filepath.Join(dir, "run", "interpretation", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	held := decode[report.Interpretation](t, mustSucceed(t, orrery(t, dir, "interpret", "run", set, "--split", "valid", "--tta", "0", "-o", "held", "--json")).stdout)
	r := decode[trainer.Result](t, read(t, filepath.Join(dir, "run", "result.json")))
	if held.Images != 18 || held.TTAAccuracy != nil || math.Abs(held.Accuracy-r.Accuracy) > 1e-12 {
		t.Errorf("held out: %d pictures, accuracy %v; the run says %v", held.Images, held.Accuracy, r.Accuracy)
	}
	printed := mustSucceed(t, orrery(t, dir, "interpret", "run", set, "--tta", "1")).stdout
	for _, word := range []string{"precision", "blue", "test-time augmentation", "calibration error", filepath.Join("run", "interpretation")} {
		if !strings.Contains(printed, word) {
			t.Errorf("no %q in\n%s", word, printed)
		}
	}
	fails(t, orrery(t, dir, "interpret", "run"), exitUsage, "RUN and DATA")
	fails(t, orrery(t, dir, "interpret", "run", set, "--split", "test"), exitUsage, "all or valid")
	fails(t, orrery(t, dir, "interpret", "nowhere", set), exitFailed, "nowhere")
	fails(t, orrery(t, dir, "interpret", "run", photos(t, 20, "blue", "violet")), exitFailed, "violet")
}
