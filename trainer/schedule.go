package trainer

import "math"

// The names a recipe's schedule may have.
const (
	Flat     = "flat"
	OneCycle = "one-cycle"
)

var scheduleNames = []string{Flat, OneCycle}

// fastai's fit_one_cycle, with its defaults.
const (
	cycleDiv      = 25.0 // the first rate is lr/cycleDiv
	cycleDivFinal = 1e5  // the last approaches lr/cycleDivFinal
	cycleWarmUp   = 0.25 // fraction of the steps on which the rate rises
	cycleMomHigh  = 0.95
	cycleMomLow   = 0.85
	flatMomentum  = 0.9
)

// Rates gives the learning rate and the momentum (Adam's first beta) of step
// i of n, counted from 0 over the whole run. It is a pure function, so a
// resumed run needs only the step.
//
// Source: fastai 2.8.12, Learner.fit and fit_one_cycle; spec: cos(a, b, p) =
// a + (1 + cos(pi (1-p))) (b-a) / 2.
func Rates(schedule string, lr float64, i, n int) (rate, momentum float64) {
	if schedule == Flat {
		return lr, flatMomentum
	}
	p := float64(i) / float64(n)
	if p <= cycleWarmUp {
		p /= cycleWarmUp
		return cosine(lr/cycleDiv, lr, p), cosine(cycleMomHigh, cycleMomLow, p)
	}
	p = (p - cycleWarmUp) / (1 - cycleWarmUp)
	return cosine(lr, lr/cycleDivFinal, p), cosine(cycleMomLow, cycleMomHigh, p)
}

// cosine goes from a at p = 0 to b at p = 1 along half a cosine.
func cosine(a, b, p float64) float64 {
	return a + (1+math.Cos(math.Pi*(1-p)))*(b-a)/2
}
