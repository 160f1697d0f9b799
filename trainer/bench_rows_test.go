package trainer_test

import (
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/wangkuiyi/orrery/bench"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/trainer"
)

// TestBenchGoesTheWayOfTraining has bench measure a CPU that goes a GPU's way: its rows are of steps that nobody waits
// for, recorded, on pictures that lie on the device where the row is of decoded ones.
func TestBenchGoesTheWayOfTraining(t *testing.T) {
	recipe := trainer.Article()
	recipe.Size, recipe.ItemSize, recipe.Threads, recipe.Workers, recipe.Device = 32, 40, 1, 1, "cpu"
	recipe.Schedule = trainer.Cosine // its momentum stays: the whole step is recorded
	dir := t.TempDir()
	testdata.NoisySet(t, dir, rand.New(rand.NewPCG(7, 8)), 44, 40, 100, "a", "b")
	set, err := data.Open(t.Context(), dir, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	change, replayed := trainer.RehearseGPU()
	report, err := bench.Run(t.Context(), bench.Options{
		Recipes: []trainer.Recipe{recipe}, BatchSizes: []int{16}, Pixels: []string{"exact", "fast"}, Works: []string{bench.Train}, Devices: []string{"cpu"},
		Set: set, Steps: 4, WarmUp: 4, Repeats: 1, Log: slog.New(slog.DiscardHandler), Training: change,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rows) != 6 {
		t.Fatalf("%d rows", len(report.Rows))
	}
	timed := 0
	for _, row := range report.Rows {
		want := trainer.Way{Late: true, Graph: true, Resident: row.Input == bench.Stored && row.Pixels == "fast"}
		if row.Error != "" || row.Way != want {
			t.Errorf("the row of %s, pixels %s, is of steps %+v, want %+v; error %q", row.Input, row.Pixels, row.Way, want, row.Error)
		}
		if row.Split == nil || row.Split.Backward <= 0 {
			t.Errorf("the row of %s lacks its parts", row.Input)
		}
		timed += row.Steps
	}
	if n := replayed(); n < timed {
		t.Errorf("%d steps were timed, %d recordings done", timed, n)
	}
}
