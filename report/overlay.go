package report

import (
	"math"
	"slices"
)

// A curve is one run's line among others.
type curve struct {
	name   string
	color  int
	xs, ys []float64
}

// againstEpochs gives a run's smoothed training loss and its validation
// accuracy against epochs done, so that runs of other batch sizes compare.
func (r *Run) againstEpochs(limit int) (loss, accuracy curve) {
	for _, e := range r.History {
		accuracy.xs, accuracy.ys = append(accuracy.xs, float64(e.Epoch+1)), append(accuracy.ys, e.Accuracy)
	}
	if len(r.Steps) == 0 {
		for _, e := range r.History {
			loss.xs, loss.ys = append(loss.xs, float64(e.Epoch+1)), append(loss.ys, e.TrainLoss)
		}
		return loss, accuracy
	}
	smoothed := make([]float64, len(r.Steps))
	count, start := map[int]int{}, map[int]int{}
	for i, s := range r.Steps {
		smoothed[i] = s.SmoothedLoss
		if _, ok := start[s.Epoch]; !ok {
			start[s.Epoch] = i
		}
		count[s.Epoch]++
	}
	// An epoch under way is as long as the longest before it.
	longest := 0
	for _, n := range count {
		longest = max(longest, n)
	}
	for _, i := range Thin(smoothed, limit) {
		epoch := r.Steps[i].Epoch
		x := float64(epoch) + float64(i-start[epoch]+1)/float64(longest)
		loss.xs, loss.ys = append(loss.xs, x), append(loss.ys, smoothed[i])
	}
	return loss, accuracy
}

// overlay puts curves with x values of their own on the one x axis that the
// chart library wants; between its own points a curve is carried on straight.
func overlay(id, xLabel string, curves []curve, style string) Chart {
	c := Chart{ID: id, XLabel: xLabel}
	for _, one := range curves {
		c.X = append(c.X, one.xs...)
	}
	slices.Sort(c.X)
	c.X = slices.Compact(c.X)
	for _, one := range curves {
		s := Series{Label: one.name, Color: one.color, Style: style, Values: make(Numbers, len(c.X))}
		for i, x := range c.X {
			s.Values[i] = math.NaN()
			if j, found := slices.BinarySearch(one.xs, x); found {
				s.Values[i] = one.ys[j]
			} else if style == "line" && j > 0 && j < len(one.xs) {
				part := (x - one.xs[j-1]) / (one.xs[j] - one.xs[j-1])
				s.Values[i] = one.ys[j-1] + part*(one.ys[j]-one.ys[j-1])
			}
		}
		c.Series = append(c.Series, s)
	}
	return c
}
