package trainer

import (
	"context"
	"math"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// ttaBeta is fastai's: the weight of the plain prediction beside the mean of the augmented ones.
const ttaBeta = 0.25

// TestTime is what test-time augmentation makes of the pictures of an Evaluation.
type TestTime struct {
	Passes   int     `json:"passes"`
	Accuracy float64 `json:"accuracy"` // in [0, 1]
	Loss     float64 `json:"loss"`     // mean cross entropy, in nats
}

// EvaluateTTA predicts the pictures of plain again, in passes passes that augment
// them as training does, and judges 0.75 times the mean of those probabilities
// plus 0.25 times the plain ones.
//
// Source: fastai 2.8.12, Learner.tta with its defaults, which takes 4 passes.
//
// A recipe whose TTAViews are mirror-shift takes those six passes instead.
func (s *Saved) EvaluateTTA(ctx context.Context, set *data.Dataset, plain *Evaluation, passes int) (TestTime, error) {
	return testTime(ctx, s.Recipe, s.model, s.device, set, s.Recipe.Pictures(set), plain, passes)
}

// testTime is EvaluateTTA of any model.
func testTime(ctx context.Context, r Recipe, model models.Model, device torch.Device, set *data.Dataset, pictures augment.Source, plain *Evaluation, passes int) (TestTime, error) {
	indices := make([]int, len(plain.predictions))
	for i, p := range plain.predictions {
		indices[i] = p.Index
	}
	if r.TTAViews == ViewsMirrorShift {
		return testViews(ctx, r, model, device, set, pictures, indices)
	}
	position := map[int]int{} // in indices, of a picture of the set
	sums := make([][]float64, len(indices))
	for i, index := range indices {
		position[index], sums[i] = i, make([]float64, len(plain.Classes))
	}
	batches, err := loader(r, set, pictures, indices, suited(r, device, augment.LoaderOptions{
		BatchSize: r.BatchSize, Train: true, InOrder: true, OnSkip: func(int, error) {}, // the plain pass read them all
	}))
	if err != nil {
		return TestTime{}, err
	}
	defer batches.Close()
	classes := len(plain.Classes)
	for pass := range passes {
		err := forward(ctx.Err, model, feedOf(device), batches.Epoch(ctx, pass), func(logits []float32, indices []int, _ []int64) {
			for i, index := range indices {
				for c, p := range softmax(logits[i*classes : (i+1)*classes]) {
					sums[position[index]][c] += p
				}
			}
		})
		if err != nil {
			return TestTime{}, err
		}
	}
	return judgeTTA(plain.predictions, sums, passes), nil
}

// judgeTTA scores the mix of plain predictions and the sums of augmented ones.
func judgeTTA(plain []Labelled, sums [][]float64, passes int) TestTime {
	t := TestTime{Passes: passes}
	n := float64(len(plain))
	for i, p := range plain {
		mixed := make([]float64, len(p.Probabilities))
		for c := range mixed {
			mixed[c] = (1-ttaBeta)*sums[i][c]/float64(passes) + ttaBeta*p.Probabilities[c]
		}
		t.judge(mixed, p.Label, n)
	}
	return t
}

// judge adds one of n pictures, by the probabilities of its classes.
func (t *TestTime) judge(probabilities []float64, label int, n float64) {
	best := 0
	for c, p := range probabilities {
		if p > probabilities[best] {
			best = c
		}
	}
	if best == label {
		t.Accuracy += 1 / n
	}
	t.Loss -= math.Log(max(probabilities[label], math.SmallestNonzeroFloat32)) / n
}
