package trainer

import "math"

// The names a recipe's schedule may have.
const (
	Flat       = "flat"
	OneCycle   = "one-cycle"
	Cosine     = "cosine"
	Linear     = "linear"
	StepDecay  = "step"
	FlatCosine = "flat-then-cosine"
	FineTune   = "fine-tune"
)

var scheduleNames = []string{Flat, OneCycle, Cosine, Linear, StepDecay, FlatCosine, FineTune}

// ScheduleNames lists the words a recipe may say.
func ScheduleNames() []string { return append([]string(nil), scheduleNames...) }

// fastai's fit_one_cycle, fit_flat_cos and fine_tune, with their defaults.
const (
	cycleDiv      = 25.0 // the first rate is lr/cycleDiv
	cycleDivFinal = 1e5  // the last approaches lr/cycleDivFinal
	cycleWarmUp   = 0.25 // fraction of the steps on which the rate rises
	cycleMomHigh  = 0.95
	cycleMomLow   = 0.85
	flatMomentum  = 0.9
	flatFraction  = 0.75 // of flat-then-cosine's steps
	// Of fine_tune: the frozen epochs' cycle rises nearly to their end; the others' is lower and flatter.
	tuneFrozenWarmUp = 0.99
	tuneWarmUp       = 0.3
	tuneDiv          = 5.0
	// warmUpFrom is the first rate of warmup_epochs, as a part of lr.
	warmUpFrom = 0.01
)

// Rates gives the learning rate of the head and the momentum (Adam's first
// beta) of step i of n, counted from 0 over the whole run. It is a pure
// function, so a resumed run needs only the step.
//
// Source: fastai 2.8.12 for flat, one-cycle, flat-then-cosine and fine-tune;
// PyTorch's CosineAnnealingLR, LinearLR and StepLR, taken at every step, for the
// others, and LinearLR for the warm-up before them.
func (r Recipe) Rates(i, n int) (rate, momentum float64) {
	perEpoch := float64(n) / float64(r.Epochs)
	lr := r.LearningRate
	switch r.Schedule {
	case OneCycle:
		return cycle(lr, i, n, cycleDiv, cycleWarmUp)
	case FineTune:
		frozen := int(math.Round(perEpoch * float64(r.FreezeEpochs)))
		if i < frozen {
			return cycle(lr, i, frozen, cycleDiv, tuneFrozenWarmUp)
		}
		return cycle(lr/2, i-frozen, n-frozen, tuneDiv, tuneWarmUp)
	}
	if warm := int(math.Round(perEpoch * r.WarmupEpochs)); i < warm {
		return lr * (warmUpFrom + (1-warmUpFrom)*float64(i)/float64(warm)), flatMomentum
	} else {
		i, n = i-warm, n-warm
	}
	p := float64(i) / float64(n)
	switch r.Schedule {
	case Cosine:
		lr = cosine(lr, 0, p)
	case Linear:
		lr *= 1 - p
	case StepDecay:
		lr *= math.Pow(r.StepGamma, math.Floor(float64(i)/math.Round(perEpoch*r.StepEpochs)))
	case FlatCosine:
		if p >= flatFraction {
			lr = cosine(lr, lr/cycleDivFinal, (p-flatFraction)/(1-flatFraction))
		}
	}
	return lr, flatMomentum
}

// cycle rises from lr/div to lr over a fraction of n steps and falls to
// lr/cycleDivFinal after it; the momentum goes the other way. Spec: cos(a, b, p) =
// a + (1 + cos(pi (1-p))) (b-a) / 2.
func cycle(lr float64, i, n int, div, warmUp float64) (rate, momentum float64) {
	p := float64(i) / float64(n)
	if p <= warmUp {
		p /= warmUp
		return cosine(lr/div, lr, p), cosine(cycleMomHigh, cycleMomLow, p)
	}
	p = (p - warmUp) / (1 - warmUp)
	return cosine(lr, lr/cycleDivFinal, p), cosine(cycleMomLow, cycleMomHigh, p)
}

// cosine goes from a at p = 0 to b at p = 1 along half a cosine.
func cosine(a, b, p float64) float64 {
	return a + (1+math.Cos(math.Pi*(1-p)))*(b-a)/2
}
