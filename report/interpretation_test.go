package report

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// interpreted is what scripts/golden/report_interpretation.py wrote.
type interpreted struct {
	MadeBy        map[string]string `json:"made_by"`
	Classes       []string          `json:"classes"`
	Labels        []int             `json:"labels"`
	Probabilities [][]float64       `json:"probabilities"`
	Accuracy      float64           `json:"accuracy"`
	Top5          float64           `json:"top5"`
	Loss          float64           `json:"loss"`
	ECE           float64           `json:"ece"`
	Precision     []float64         `json:"precision"`
	Recall        []float64         `json:"recall"`
	F1            []float64         `json:"f1"`
	MacroF1       float64           `json:"macro_f1"`
	Support       []int             `json:"support"`
	Confusion     [][]int           `json:"confusion"`
	MostConfused  [][]any           `json:"most_confused"`
	TopLosses     []int             `json:"top_losses"`
}

func loadInterpreted(t *testing.T) (interpreted, []Prediction) {
	t.Helper()
	g := testdata.Golden[interpreted](t, "testdata/interpretation.json")
	list := make([]Prediction, len(g.Labels))
	for i := range list {
		list[i] = Prediction{Path: samplePath(g.Classes[g.Labels[i]], i), Label: g.Labels[i], Probabilities: g.Probabilities[i]}
	}
	return g, list
}

func samplePath(class string, i int) string {
	return class + "/" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + ".jpg"
}

func TestInterpretationEqualsFastaiAndScikitLearn(t *testing.T) {
	g, list := loadInterpreted(t)
	got, err := Interpret(g.Classes, list, len(g.TopLosses))
	if err != nil {
		t.Fatal(err)
	}
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("accuracy", got.Accuracy, g.Accuracy)
	near("top5", *got.Top5, g.Top5)
	near("loss", *got.Loss, g.Loss)
	near("ece", *got.ECE, g.ECE)
	near("macro F1", got.MacroF1, g.MacroF1)
	for c, score := range got.Classes {
		near(score.Class+" precision", score.Precision, g.Precision[c])
		near(score.Class+" recall", score.Recall, g.Recall[c])
		near(score.Class+" F1", score.F1, g.F1[c])
		if score.Support != g.Support[c] {
			t.Errorf("%s support is %d, want %d", score.Class, score.Support, g.Support[c])
		}
	}
	if diff := cmp.Diff(g.Confusion, got.Confusion); diff != "" {
		t.Error(diff)
	}
	var pairs [][]any
	for _, c := range got.Confused {
		pairs = append(pairs, []any{c.Actual, c.Predicted, float64(c.Count)})
	}
	if diff := cmp.Diff(g.MostConfused, pairs); diff != "" {
		t.Errorf("most confused (-fastai +ours):\n%s", diff)
	}
	var paths, want []string
	for k, top := range got.TopLosses {
		paths, want = append(paths, top.Path), append(want, list[g.TopLosses[k]].Path)
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("top losses (-want +got):\n%s", diff)
	}
}

func TestPredictionsRoundTrip(t *testing.T) {
	_, list := loadInterpreted(t)
	list[3].Path = "a, \"quoted\"\nname/é.jpg"
	path := filepath.Join(t.TempDir(), "predictions.csv")
	if err := WritePredictions(path, list); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPredictions(path, 7)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadPredictionsRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "predictions.csv")
	for content, want := range map[string]string{
		"":                                "is empty",
		"a,b\n":                           "header has 2 columns",
		"path,label,p0,p1\nx,2,0.5,0.5\n": `line 2: label is "2", want 0 to 1`,
		"path,label,p0,p1\nx,1,0.5,NaN\n": `line 2: p1 is "NaN"`,
		"path,label,p0,p1\nx,1,0.5\n":     "wrong number of fields",
	} {
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPredictions(path, 2); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func TestInterpretRefuses(t *testing.T) {
	if _, err := Interpret([]string{"a"}, nil, 1); err == nil {
		t.Error("no predictions were interpreted")
	}
	if _, err := Interpret([]string{"a"}, []Prediction{{Path: "x", Label: 1, Probabilities: []float64{1}}}, 1); err == nil {
		t.Error("a label out of range was interpreted")
	}
	if _, err := InterpretConfusion([]string{"a", "b"}, [][]int{{1, 2}}); err == nil {
		t.Error("a matrix that is not square was interpreted")
	}
}

// From fastai's probabilities its own confusion matrix, most confused pairs and top losses follow.
func TestInterpretationEqualsFastai(t *testing.T) {
	golden := testdata.Golden[struct {
		Classes       []string
		Labels        []int
		Probabilities [][]float64
		Confusion     [][]int
		Confused      [][3]any     `json:"most_confused"`
		TopLosses     [][2]float64 `json:"top_losses"` // index, loss
	}](t, "../trainer/testdata/interpretation.json")
	var predictions []Prediction
	for i, label := range golden.Labels {
		predictions = append(predictions, Prediction{Path: fmt.Sprint(i), Label: label, Probabilities: golden.Probabilities[i]})
	}
	got, err := Interpret(golden.Classes, predictions, len(golden.TopLosses))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden.Confusion, got.Confusion); diff != "" {
		t.Errorf("confusion (-fastai +ours):\n%s", diff)
	}
	var confused [][3]any
	for _, pair := range got.Confused {
		confused = append(confused, [3]any{pair.Actual, pair.Predicted, float64(pair.Count)})
	}
	if diff := cmp.Diff(golden.Confused, confused); diff != "" {
		t.Errorf("most confused (-fastai +ours):\n%s", diff)
	}
	for i, top := range golden.TopLosses {
		if mine := got.TopLosses[i]; mine.Path != fmt.Sprint(int(top[0])) || math.Abs(mine.Loss-top[1]) > 1e-5 {
			t.Errorf("top loss %d is %+v, want %v", i, mine, top)
		}
	}
}
