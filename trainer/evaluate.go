package trainer

import (
	"cmp"
	"context"
	"math"
	"slices"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// topLosses is how many of the worst guesses an Evaluation keeps.
const topLosses = 36

// An Evaluation is what a model makes of a labelled set.
type Evaluation struct {
	Classes   []string `json:"classes"`
	Images    int      `json:"images"`
	Loss      float64  `json:"loss"`      // mean cross entropy, in nats
	Accuracy  float64  `json:"accuracy"`  // in [0, 1]
	Top5      float64  `json:"top5"`      // in [0, 1]; 1 with five classes or fewer
	Confusion [][]int  `json:"confusion"` // rows actual, columns predicted
	TopLosses []Guess  `json:"top_losses"`

	predictions []Labelled // of every picture, in the split's order
}

// Predictions are those of every picture, in the order they were evaluated in.
func (e *Evaluation) Predictions() []Labelled { return e.predictions }

// A Labelled is one picture's label and the probability of each class.
type Labelled struct {
	Index         int // in the set
	Path          string
	Label         int
	Probabilities []float64 // in [0, 1], summing to 1
}

// A Guess is one picture's prediction beside its label.
type Guess struct {
	Path        string  `json:"path"`
	Actual      string  `json:"actual"`
	Predicted   string  `json:"predicted"`
	Loss        float64 `json:"loss"`
	Probability float64 `json:"probability"` // of the predicted class
}

// A tally grows an Evaluation batch by batch.
type tally struct {
	set     *data.Dataset
	loss    float64
	correct int
	top5    int
	guesses []Guess
	all     []Labelled
	counts  [][]int
}

func newTally(set *data.Dataset) *tally {
	counts := make([][]int, len(set.Classes))
	for i := range counts {
		counts[i] = make([]int, len(set.Classes))
	}
	return &tally{set: set, counts: counts}
}

// add takes in the logits [len(indices), classes] of a batch, row by row.
func (t *tally) add(logits []float32, indices []int, labels []int64) {
	classes := len(t.set.Classes)
	for i, index := range indices {
		row := logits[i*classes : (i+1)*classes]
		probabilities := softmax(row)
		label, predicted := int(labels[i]), argmax(row)
		loss := -logSoftmax(row, label)
		t.loss += loss
		t.counts[label][predicted]++
		if predicted == label {
			t.correct++
		}
		if rank(row, label) < 5 {
			t.top5++
		}
		path := t.set.Samples[index].Path
		t.all = append(t.all, Labelled{index, path, label, probabilities})
		t.guesses = append(t.guesses, Guess{
			Path: path, Actual: t.set.Classes[label], Predicted: t.set.Classes[predicted],
			Loss: loss, Probability: probabilities[predicted],
		})
	}
}

func (t *tally) evaluation() *Evaluation {
	n := len(t.guesses)
	worst := slices.Clone(t.guesses)
	slices.SortStableFunc(worst, func(a, b Guess) int { return cmp.Compare(b.Loss, a.Loss) })
	e := &Evaluation{Classes: t.set.Classes, Images: n, Confusion: t.counts, TopLosses: worst[:min(n, topLosses)], predictions: t.all}
	if n > 0 {
		e.Loss, e.Accuracy, e.Top5 = t.loss/float64(n), float64(t.correct)/float64(n), float64(t.top5)/float64(n)
	}
	return e
}

// evaluate runs the model in evaluation mode over every batch of it.
func evaluate(ctx context.Context, model models.Model, feed func(*augment.Batch) torch.Tensor, set *data.Dataset, it *augment.Iterator) (*Evaluation, error) {
	counted := newTally(set)
	if err := forward(ctx.Err, model, feed, it, counted.add); err != nil {
		return nil, err
	}
	return counted.evaluation(), nil
}

func argmax(row []float32) int {
	best := 0
	for i, x := range row {
		if x > row[best] {
			best = i
		}
	}
	return best
}

// rank counts the classes whose logit lies above that of label.
func rank(row []float32, label int) int {
	above := 0
	for _, x := range row {
		if x > row[label] {
			above++
		}
	}
	return above
}

// logSumExp is ln of the sum of e^x, shifted by the largest so that it never overflows.
func logSumExp(row []float32) float64 {
	largest := float64(row[argmax(row)])
	sum := 0.0
	for _, x := range row {
		sum += math.Exp(float64(x) - largest)
	}
	return largest + math.Log(sum)
}

func logSoftmax(row []float32, class int) float64 { return float64(row[class]) - logSumExp(row) }

func softmax(row []float32) []float64 {
	total := logSumExp(row)
	p := make([]float64, len(row))
	for i, x := range row {
		p[i] = math.Exp(float64(x) - total)
	}
	return p
}
