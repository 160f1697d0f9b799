package report

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadReadsWhatTheTrainerWrote(t *testing.T) {
	r, err := Load(writeSample(t, 3, 10, sampleClasses))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Notes) != 0 {
		t.Errorf("notes on a whole run: %v", r.Notes)
	}
	if len(r.History) != 3 || len(r.Steps) != 30 || len(r.Log) != 2 {
		t.Fatalf("%d epochs, %d steps, %d log lines; want 3, 30, 2", len(r.History), len(r.Steps), len(r.Log))
	}
	last := r.Steps[29]
	if last.Step != 29 || last.Epoch != 2 || last.SmoothedLoss != r.History[2].TrainLoss {
		t.Errorf("last step %+v does not end epoch %+v", last, r.History[2])
	}
	if r.Result.Accuracy != 0.7815 || r.Result.ValidImages != 563 || string(r.Result.Extra["go"]) != `"go1.26.8"` {
		t.Errorf("result %+v", r.Result)
	}
	if _, kept := r.Result.Extra["recipe"]; kept {
		t.Error("the recipe is repeated among the extra keys")
	}
	if diff := cmp.Diff([]string{"show-batch.png"}, r.Plots); diff != "" {
		t.Error(diff)
	}
	want := "path=earth/<b>x</b>.jpg reason=truncated"
	if r.Log[1].Rest != want || r.Log[1].Level != "WARN" {
		t.Errorf("log line %+v, want %q", r.Log[1], want)
	}
}

func TestLoadRefusesWhatIsNoRun(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		file:                       "is a file, not a run folder",
		dir:                        "is not a run folder: it has none of recipe.yaml",
	} {
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("Load(%s): %v, want %q", path, err, want)
		}
	}
}

// A run folder with any file missing or cut at any place still loads, and
// says what is wrong with that file and no other.
func TestLoadSurvivesCutFiles(t *testing.T) {
	for _, c := range []struct {
		file, content string
		want          string
	}{
		{"history.csv", "", `no header line, want "epoch,train_loss`},
		{"history.csv", "epoch,train_loss,valid_loss,accuracy,seconds\n0,1,2,0.5,3\n1,1,2", "line 3 is cut short and left out"},
		{"history.csv", "a,b\n", `header is "a,b", want "epoch`},
		{"steps.csv", stepsHeader + "\n0,0,x,0,0,0,0,0\n", `line 2: column 3 is "x", not a number`},
		{"steps.csv", stepsHeader + "\n0,0,1\n", "line 2: 3 columns, want 8"},
		{"result.json", "", "the file is empty"},
		{"result.json", `{"accuracy":0.5,"valid`, "the file ends in the middle, after 22 bytes"},
		{"result.json", `{"accuracy":"high"}`, "unexpected content"},
		{"evaluation.json", `{"classes":["a","b"],"confusion":[[1,2]]}`, "confusion has 1 rows for 2 classes"},
		{"evaluation.json", `{"classes":["a","b"],"confusion":[[1,2],[3]]}`, "confusion row 1 has 1 columns for 2 classes"},
		{"evaluation.json", `{"classes":["a"],"confusion":[[-1]]}`, "confusion row 0 has the count -1"},
	} {
		dir := writeSample(t, 2, 4, sampleClasses)
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o666); err != nil {
			t.Fatal(err)
		}
		r, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Notes) != 1 || r.Notes[0].File != c.file || !strings.Contains(r.Notes[0].Text, c.want) {
			t.Errorf("%s = %q: notes %q, want one with %q", c.file, c.content, r.Notes, c.want)
		}
		path := filepath.Join(dir, "report.html")
		if err := writePage(path, "report.html", r.view); err != nil {
			t.Errorf("%s = %q: no report: %v", c.file, c.content, err)
		} else if text, _ := os.ReadFile(path); !strings.Contains(string(text), `id="notes"`) {
			t.Errorf("%s = %q: the page does not show the note", c.file, c.content)
		}
	}
	for _, file := range []string{"recipe.yaml", "history.csv", "steps.csv", "result.json", "evaluation.json", "log.jsonl", "plots/show-batch.png"} {
		dir := writeSample(t, 2, 4, sampleClasses)
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(file))); err != nil {
			t.Fatal(err)
		}
		r, err := Load(dir)
		if err == nil {
			err = writePage(filepath.Join(dir, "report.html"), "report.html", r.view)
		}
		if err != nil {
			t.Errorf("without %s: %v", file, err)
		}
	}
}

// A resumed run repeats rows; the later ones hold.
func TestRowsWrittenAgainReplaceTheOlder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.csv")
	text := historyHeader + "\n0,5,5,0.1,1\n1,4,4,0.2,1\n2,3,3,0.3,1\n1,2,2,0.4,1\n2,,1,0.5,1\n"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	list, err := readHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, e := range list {
		got = append(got, e.Accuracy)
	}
	if diff := cmp.Diff([]float64{0.1, 0.4, 0.5}, got); diff != "" {
		t.Error(diff)
	}
	if !math.IsNaN(list[2].TrainLoss) {
		t.Errorf("an empty field gave %v, want NaN", list[2].TrainLoss)
	}
}

func TestTailLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	var text strings.Builder
	for range 3000 {
		text.WriteString(`{"level":"INFO","msg":"` + strings.Repeat("x", 1000) + `"}` + "\n")
	}
	text.WriteString("not json\n")
	if err := os.WriteFile(path, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	lines, err := TailLog(path, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 5 || lines[4].Message != "not json" || lines[0].Level != "INFO" || len(lines[0].Message) != 1000 {
		t.Errorf("tail is %+v", lines)
	}
}

func TestThinKeepsEndsAndPeaks(t *testing.T) {
	values := make([]float64, 50_000)
	for i := range values {
		values[i] = math.Sin(float64(i) / 300)
	}
	values[31_234], values[12_345] = 9, -9
	values[40_000] = math.NaN()
	kept := Thin(values, 1000, 777, -1, 50_000)
	if len(kept) > 1003 || len(kept) < 400 {
		t.Errorf("%d points kept of 50000, want about 1000", len(kept))
	}
	found := map[int]bool{}
	for i, k := range kept {
		found[k] = true
		if i > 0 && kept[i-1] >= k {
			t.Fatalf("not ascending at %d: %d, %d", i, kept[i-1], k)
		}
	}
	for _, want := range []int{0, 777, 12_345, 31_234, 49_999} {
		if !found[want] {
			t.Errorf("index %d was thinned out", want)
		}
	}
	if got := Thin(values[:5], 5); len(got) != 5 {
		t.Errorf("a short series lost points: %v", got)
	}
}

// However many epochs a run has, its curves have few points, and the best epoch is one of them.
func TestCurvesOfManyEpochsAreThin(t *testing.T) {
	r := &Run{}
	for i := range 30_000 {
		r.Steps = append(r.Steps, Step{Step: i, Epoch: i / 10, Loss: float64(i % 7)})
	}
	for i := range 3_000 {
		r.History = append(r.History, Epoch{Epoch: i, ValidLoss: math.Abs(float64(i-1_234)) + 1})
	}
	l := r.lossSeries(1200)
	if n := len(l.x); n < 600 || n > 1300 {
		t.Errorf("%d points, want about 1200", n)
	}
	best := slices.Index(l.validY, 1)
	if best < 0 || l.validX[best] != 12_349 {
		t.Errorf("the best epoch is not drawn at its last step, 12349")
	}
}
