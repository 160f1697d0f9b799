package trainer

import "math"

// The learning rates that a finder's curve suggests, by the names fastai gives
// them. Each takes the rates and the smoothed losses between findSkipStart and
// findSkipEnd, equally long, and gives false where the curve is too short.
//
// Source: fastai 2.8.12, callback/schedule.py.
var suggestions = []struct {
	name   string
	choose func(rates, losses []float64) (float64, bool)
}{{DefaultSuggestion, valley}, {"slide", slide}, {"steep", steep}, {"minimum", minimum}}

// DefaultSuggestion is the one that fastai's lr_find and our --lr auto take.
const DefaultSuggestion = "valley"

// valley takes the longest decreasing subsequence of losses: if it has the
// length L and ends at e, the rate at e - L + floor(L/3) + floor(L/6).
func valley(rates, losses []float64) (float64, bool) {
	n := len(losses)
	if n == 0 {
		return 0, false
	}
	longest := make([]int, n) // of the decreasing subsequences that end here
	end := 0
	for i := range n {
		longest[i] = 1
		for j := range i {
			if losses[i] < losses[j] && longest[i] < longest[j]+1 {
				longest[i] = longest[j] + 1
			}
			if longest[end] < longest[i] {
				end = i
			}
		}
	}
	if longest[end] == 1 { // nothing decreases
		return rates[0], true
	}
	section := float64(longest[end]) / 3
	at := end - longest[end] + int(section) + int(section/2)
	return rates[(at+n)%n], true // -1 is the last one, as in Python
}

// slideWidth and slideThreshold are fastai's lr_diff and thresh.
const (
	slideWidth     = 15
	slideThreshold = 0.005
)

// slide moves a window of slideWidth down the rates from the end until the
// loss's gradient is about the same at both of its ends, and takes the lower.
func slide(rates, losses []float64) (float64, bool) {
	n := len(losses)
	right, left := n-1, n-1-slideWidth
	if left < 0 {
		return 0, false
	}
	slope := gradient(losses)
	rate := rates[left]
	for ; left >= 0 && math.Abs(slope[right]-slope[left]) > slideThreshold; right, left = right-1, left-1 {
		rate = rates[left]
	}
	return rate, true
}

// gradient is numpy.gradient: central differences, one-sided at the ends.
func gradient(y []float64) []float64 {
	n := len(y)
	g := make([]float64, n)
	for i := range g {
		low, high := max(i-1, 0), min(i+1, n-1)
		g[i] = (y[high] - y[low]) / float64(high-low)
	}
	return g
}

// steep takes the rate at which the loss falls fastest against the rate's logarithm.
func steep(rates, losses []float64) (float64, bool) {
	best, at := math.Inf(1), -1
	for i := range len(losses) - 1 {
		slope := (losses[i+1] - losses[i]) / (math.Log(rates[i+1]) - math.Log(rates[i]))
		if slope < best {
			best, at = slope, i
		}
	}
	if at < 0 {
		return 0, false
	}
	return rates[at], true
}

// minimum takes a tenth of the rate of the least loss.
func minimum(rates, losses []float64) (float64, bool) {
	if len(losses) == 0 {
		return 0, false
	}
	at := 0
	for i, loss := range losses {
		if loss < losses[at] {
			at = i
		}
	}
	return rates[at] / 10, true
}
