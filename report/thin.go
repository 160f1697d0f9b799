package report

import (
	"math"
	"slices"
)

// Thin chooses at most about limit of the indices 0..len(values)-1 such that
// a line drawn through them looks like the whole: of each bucket the lowest
// and the highest value stay, so no peak is lost. The first, the last and the
// indices in always are kept too. The result is sorted and without repeats.
func Thin(values []float64, limit int, always ...int) []int {
	n := len(values)
	if n <= limit || limit < 4 {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	buckets := (limit - 2) / 2
	picked := []int{0, n - 1}
	for b := range buckets {
		from, to := b*n/buckets, (b+1)*n/buckets
		low, high := -1, -1
		for i := from; i < to; i++ {
			v := values[i]
			if math.IsNaN(v) {
				continue
			}
			if low < 0 || v < values[low] {
				low = i
			}
			if high < 0 || v > values[high] {
				high = i
			}
		}
		if low < 0 { // all NaN: the gap itself must be seen
			low, high = from, from
		}
		picked = append(picked, low, high)
	}
	for _, i := range always {
		if i >= 0 && i < n {
			picked = append(picked, i)
		}
	}
	slices.Sort(picked)
	return slices.Compact(picked)
}
