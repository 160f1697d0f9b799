package report

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
)

// An Interpretation says where a network errs. Its fields are the JSON of
// `orrery interpret --json`. Loss, Top5, ECE and Calibration need every
// picture's probabilities; from a confusion matrix alone they are nil.
type Interpretation struct {
	Images      int          `json:"images"`
	Accuracy    float64      `json:"accuracy"`
	Top5        *float64     `json:"top5,omitempty"`
	Loss        *float64     `json:"loss,omitempty"`         // mean cross entropy
	ECE         *float64     `json:"ece,omitempty"`          // expected calibration error, in [0, 1]
	MacroF1     float64      `json:"macro_f1"`               // unweighted mean over the classes that occur
	TTAAccuracy *float64     `json:"tta_accuracy,omitempty"` // with test-time augmentation, if it was tried
	TTALoss     *float64     `json:"tta_loss,omitempty"`
	Classes     []ClassScore `json:"classes"`
	Confused    []Confused   `json:"most_confused"`
	Calibration []Bin        `json:"calibration,omitempty"`
	Confusion   [][]int      `json:"confusion"` // rows actual, columns predicted
	TopLosses   []TopLoss    `json:"top_losses,omitempty"`
}

// WritePlots draws the confusion matrix, by counts and normalised, and how the
// confidence is calibrated, as PNG and SVG files in folder: confusion,
// confusion-normalised and, where the probabilities are known, reliability.
func (i *Interpretation) WritePlots(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("cannot make the plots folder: %w", err)
	}
	classes := make([]string, len(i.Classes))
	for c, score := range i.Classes {
		classes[c] = score.Class
	}
	err := errors.Join(plotConfusion(folder, "confusion", classes, i.Confusion, false),
		plotConfusion(folder, "confusion-normalised", classes, i.Confusion, true))
	if err == nil && i.ECE != nil {
		err = i.plotReliability(folder, "reliability")
	}
	return err
}

// A ClassScore is one class's row. A quotient by zero counts as 0, as scikit-learn has it.
type ClassScore struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"` // of those predicted so, the part that is
	Recall    float64 `json:"recall"`    // of those that are so, the part predicted so
	F1        float64 `json:"f1"`        // harmonic mean of both
	Support   int     `json:"support"`   // pictures that are so
}

// Confused is a pair of classes that were taken for each other.
type Confused struct {
	Actual    string `json:"actual"`
	Predicted string `json:"predicted"`
	Count     int    `json:"count"`
}

// A Bin holds the predictions whose confidence, the greatest probability, lies in (Low, High].
type Bin struct {
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Count      int     `json:"count"`
	Confidence float64 `json:"confidence"` // mean
	Accuracy   float64 `json:"accuracy"`
}

// calibrationBins is the number of equal bins of the expected calibration error (Guo et al., 2017).
const calibrationBins = 15

// InterpretConfusion scores a confusion matrix of counts, rows actual, columns predicted.
func InterpretConfusion(classes []string, confusion [][]int) (*Interpretation, error) {
	e := Evaluation{Classes: classes, Confusion: confusion}
	if err := e.check(); err != nil {
		return nil, err
	}
	if len(confusion) == 0 {
		return nil, errors.New("no confusion matrix to interpret")
	}
	i := &Interpretation{Confusion: confusion}
	right, present := 0, 0
	for c, name := range classes {
		support, predicted := 0, 0
		for k := range classes {
			support += confusion[c][k]
			predicted += confusion[k][c]
		}
		hits := confusion[c][c]
		score := ClassScore{Class: name, Support: support, Precision: part(hits, predicted), Recall: part(hits, support), F1: part(2*hits, support+predicted)}
		i.Classes = append(i.Classes, score)
		i.Images += support
		right += hits
		if support+predicted > 0 {
			present++
			i.MacroF1 += score.F1
		}
		for k, count := range confusion[c] {
			if k != c && count > 0 {
				i.Confused = append(i.Confused, Confused{name, classes[k], count})
			}
		}
	}
	i.Accuracy = part(right, i.Images)
	i.MacroF1 /= float64(max(1, present))
	// Stable, so that equal counts keep the matrix's order, as fastai's most_confused does.
	slices.SortStableFunc(i.Confused, func(a, b Confused) int { return cmp.Compare(b.Count, a.Count) })
	return i, nil
}

func part(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Interpret scores predictions. Of the highest losses it keeps as many as topLosses.
func Interpret(classes []string, predictions []Prediction, topLosses int) (*Interpretation, error) {
	if len(predictions) == 0 {
		return nil, errors.New("no predictions to interpret")
	}
	confusion := make([][]int, len(classes))
	for c := range confusion {
		confusion[c] = make([]int, len(classes))
	}
	bins := make([]Bin, calibrationBins)
	for b := range bins {
		bins[b].Low, bins[b].High = float64(b)/calibrationBins, float64(b+1)/calibrationBins
	}
	losses := make([]TopLoss, 0, len(predictions))
	top5, loss := 0, 0.0
	for _, p := range predictions {
		if p.Label < 0 || p.Label >= len(classes) || len(p.Probabilities) != len(classes) {
			return nil, fmt.Errorf("%s: label %d with %d probabilities does not fit %d classes", p.Path, p.Label, len(p.Probabilities), len(classes))
		}
		guess := 0
		above := 0 // classes more probable than the actual one
		for c, v := range p.Probabilities {
			if v > p.Probabilities[guess] {
				guess = c
			}
			if v > p.Probabilities[p.Label] || v == p.Probabilities[p.Label] && c < p.Label {
				above++
			}
		}
		confusion[p.Label][guess]++
		if above < 5 {
			top5++
		}
		confidence := p.Probabilities[guess]
		b := min(calibrationBins-1, max(0, int(math.Ceil(confidence*calibrationBins))-1))
		bins[b].Count++
		bins[b].Confidence += confidence
		if guess == p.Label {
			bins[b].Accuracy++
		}
		// A probability that float32 rounds to 0 still has a finite loss.
		l := -math.Log(max(p.Probabilities[p.Label], math.SmallestNonzeroFloat32))
		loss += l
		losses = append(losses, TopLoss{Path: p.Path, Actual: classes[p.Label], Predicted: classes[guess], Loss: l, Probability: confidence})
	}
	i, err := InterpretConfusion(classes, confusion)
	if err != nil {
		return nil, err
	}
	n := float64(len(predictions))
	ece := 0.0
	for b := range bins {
		if bins[b].Count > 0 {
			count := float64(bins[b].Count)
			bins[b].Confidence /= count
			bins[b].Accuracy /= count
			ece += count / n * math.Abs(bins[b].Accuracy-bins[b].Confidence)
		}
	}
	slices.SortStableFunc(losses, func(a, b TopLoss) int { return cmp.Compare(b.Loss, a.Loss) })
	share, meanLoss := float64(top5)/n, loss/n
	i.Top5, i.Loss, i.ECE = &share, &meanLoss, &ece
	i.Calibration, i.TopLosses = bins, losses[:min(len(losses), max(0, topLosses))]
	return i, nil
}
