package trainer

import (
	"encoding/csv"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
)

// TestPredictIsValidation holds what Predict makes of a file against what
// validation made of it: the preprocessed pixels to the bit, the probabilities
// to the digits of predictions.csv.
func TestPredictIsValidation(t *testing.T) {
	for _, pixels := range []string{"exact", "fast"} {
		t.Run(pixels, func(t *testing.T) {
			set := colourSet(t, 20)
			recipe := quick()
			recipe.Pixels = pixels
			dir := t.TempDir() + "/run"
			run, err := NewRun(dir, recipe)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Fit(t.Context(), recipe, set, options(run, set))
			run.Close()
			if err != nil {
				t.Fatal(err)
			}
			saved, err := OpenSaved(dir, "cpu")
			if err != nil {
				t.Fatal(err)
			}
			defer saved.Close()
			_, valid, err := split(set, recipe)
			if err != nil {
				t.Fatal(err)
			}
			compareBatch(t, saved, set, valid)
			comparePredictions(t, dir, saved, set, valid)
		})
	}
}

// compareBatch holds the batches of validation against a Preprocessor on each picture.
func compareBatch(t *testing.T, saved *Saved, set *data.Dataset, valid []int) {
	batches, err := loader(saved.Recipe, set, saved.Recipe.Pictures(set), valid, suited(saved.Recipe, saved.device, augment.LoaderOptions{BatchSize: len(valid)}))
	if err != nil {
		t.Fatal(err)
	}
	defer batches.Close()
	it := batches.Epoch(t.Context(), 0)
	defer it.Close()
	batch, err := it.Next()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	p, err := saved.NewPreprocessor()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	alone, together := make([]float32, p.Elements()), batch.Floats(batch.N)
	for i, index := range batch.Indices {
		if err := p.Apply(alone, fromFile(t, saved, set, index)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(alone, together[i*len(alone):(i+1)*len(alone)]) {
			t.Errorf("picture %d is preprocessed to other pixels than in validation", index)
		}
	}
	if batch.N != len(valid) {
		t.Errorf("a batch of %d pictures, want %d", batch.N, len(valid))
	}
}

// fromFile decodes the sample's file as predict does.
func fromFile(t *testing.T, saved *Saved, set *data.Dataset, index int) *data.Picture {
	t.Helper()
	content, err := os.ReadFile(set.Source + "/" + set.Samples[index].Path)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := data.Decode(content, saved.Recipe.DecodeOptions())
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func comparePredictions(t *testing.T, dir string, saved *Saved, set *data.Dataset, valid []int) {
	file, err := os.Open(dir + "/" + predictionFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) != len(valid)+1 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for i, index := range valid {
		p, err := saved.Predict(set.Samples[index].Path, fromFile(t, saved, set, index))
		if err != nil {
			t.Fatal(err)
		}
		class := slices.Index(saved.Classes, p.Class)
		written, err := strconv.ParseFloat(rows[i+1][2+class], 64)
		if err != nil || rows[i+1][0] != p.Path || math.Abs(written-p.Probability) > 1e-6 {
			t.Errorf("%s: probability %v, validation wrote %v of %s: %v", p.Path, p.Probability, written, rows[i+1][0], err)
		}
	}
}
