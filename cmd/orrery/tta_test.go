package main

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

// TestRecipeWithTTA has a training end with test-time augmentation: it finds what interpret finds of the
// same pictures, and a training without is the same to the bit.
func TestRecipeWithTTA(t *testing.T) {
	set, dir := photos(t, 20, "blue", "green", "red"), t.TempDir()
	with := decode[trainer.Result](t, mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "--tta", "2", "-o", "run", "--json")).stdout)
	if with.TestTime == nil || with.TestTime.Passes != 2 || with.Recipe.TTA != 2 {
		t.Fatalf("test time: %+v, recipe %+v", with.TestTime, with.Recipe.TTA)
	}
	i := decode[report.Interpretation](t, mustSucceed(t, orrery(t, dir, "interpret", "run", set, "--split", "valid", "--tta", "2", "--json")).stdout)
	if math.Abs(with.TestTime.Accuracy-*i.TTAAccuracy) > 1e-12 || math.Abs(with.TestTime.Loss-*i.TTALoss) > 1e-6 {
		t.Errorf("the training found %+v, interpret accuracy %v and loss %v", *with.TestTime, *i.TTAAccuracy, *i.TTALoss)
	}
	without := decode[trainer.Result](t, mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "-o", "plain", "--json")).stdout)
	if without.TestTime != nil || without.ValidLoss != with.ValidLoss || read(t, filepath.Join(dir, "run", "history.csv")) == "" {
		t.Errorf("without: %+v, loss %v and %v", without.TestTime, without.ValidLoss, with.ValidLoss)
	}
}
