package augment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// BalancedWeights gives every class the same share of an epoch: each picture's weight is one over
// the number of pictures of its class.
func BalancedWeights(labels []int64) []float64 {
	count := map[int64]int{}
	for _, l := range labels {
		count[l]++
	}
	out := make([]float64, len(labels))
	for i, l := range labels {
		out[i] = 1 / float64(count[l])
	}
	return out
}

// cumulate sums the weights up; nil for none.
func cumulate(weights []float64, n int) ([]float64, error) {
	if weights == nil {
		return nil, nil
	}
	if len(weights) != n {
		return nil, fmt.Errorf("loader: %d weights for %d pictures", len(weights), n)
	}
	out := make([]float64, n)
	sum := 0.0
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("loader: weight %g of picture %d: want a number not below 0", w, i)
		}
		sum += w
		out[i] = sum
	}
	if sum == 0 {
		return nil, fmt.Errorf("loader: all weights are 0")
	}
	return out, nil
}

// drawWeighted fills out with positions drawn by weight, with replacement.
func (l *Loader) drawWeighted(r *rand.Rand, out []int) {
	total := l.cumulative[len(l.cumulative)-1]
	for i := range out {
		v := r.Float64() * total
		// The first cumulative sum above v: a weight of 0 is never drawn.
		out[i] = sort.Search(len(l.cumulative)-1, func(k int) bool { return l.cumulative[k] > v })
	}
}
