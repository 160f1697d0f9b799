package report

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// writeSampleLadder makes six rungs of three seeds, with a run folder for each rung.
func writeSampleLadder(t testing.TB, dir string) Ladder {
	t.Helper()
	l := Ladder{Data: "planets", Seeds: []int64{42, 43, 44}, Command: []string{"orrery", "ladder", "planets", "--seeds", "3"},
		Environment: [][2]string{{"device", "cpu"}, {"threads", "2"}, {"libtorch", "2.11.0"}}}
	for i, name := range []string{"plain", "relu", "batchnorm", "one-cycle", "batch-128", "five-epochs"} {
		a := 0.3 + 0.08*float64(i)
		epochs, steps := 1, 35
		if i >= 4 {
			steps = 17
		}
		if i == 5 {
			epochs = 5
		}
		if err := os.Rename(writeSample(t, epochs, steps, sampleClasses), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		l.Rungs = append(l.Rungs, Rung{Name: name, Accuracies: []float64{a, a + 0.02, a - 0.03}, Seconds: 14.3, ImagesPerSecond: 181.2, Runs: []string{name}})
	}
	return l
}

func TestLadderPage(t *testing.T) {
	dir := t.TempDir()
	l := writeSampleLadder(t, dir)
	l.Rungs[1].Runs[0] = "gone"
	path, err := WriteLadder(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The mean of .30, .32, .27 and its spread, by hand.
	for _, want := range []string{"<td>0.2967</td><td>0.0252</td><td>14.3</td><td>181.2</td><td>0.2700</td><td>0.3200</td><td>3</td>",
		`<tr class="best"><td class="text">five-epochs</td>`, "orrery ladder planets --seeds 3", "<code>gone</code>"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, name := range []string{"ladder.png", "ladder.svg"} {
		if _, err := os.Stat(filepath.Join(dir, "plots", name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := WriteLadder(dir, Ladder{}); err == nil {
		t.Error("a ladder without rungs gave a page")
	}
}

func TestLadderOfOneSeedHasNoSpread(t *testing.T) {
	dir := t.TempDir()
	path, err := WriteLadder(dir, Ladder{Data: "x", Rungs: []Rung{{Name: "plain", Accuracies: []float64{0.5}}, {Name: "empty"}}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "spread") {
		t.Error("a spread of single runs is shown")
	}
	if got := (Rung{Accuracies: []float64{0.5}}).Spread(); !math.IsNaN(got) {
		t.Errorf("spread of one run is %v, want NaN", got)
	}
}

// Between its own points a curve goes straight; outside them it ends.
func TestOverlay(t *testing.T) {
	c := overlay("id", "epochs", []curve{
		{name: "a", color: 1, xs: []float64{0, 2}, ys: []float64{1, 3}},
		{name: "b", color: 2, xs: []float64{1, 3}, ys: []float64{5, 7}},
	}, "line")
	want := [][]float64{{0, 1, 2, 3}, {1, 2, 3, math.NaN()}, {math.NaN(), 5, 6, 7}}
	for i, got := range [][]float64{c.X, c.Series[0].Values, c.Series[1].Values} {
		for j := range want[i] {
			if len(got) != 4 || (got[j] != want[i][j] && !(math.IsNaN(got[j]) && math.IsNaN(want[i][j]))) {
				t.Fatalf("row %d is %v, want %v", i, got, want[i])
			}
		}
	}
}
