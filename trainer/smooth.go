package trainer

// lossBeta is fastai's: the weight of the past in the smoothed training loss.
const lossBeta = 0.98

// A smoothedLoss is fastai's AvgSmoothLoss: an exponential mean, debiased so
// that the first steps are not pulled towards zero.
type smoothedLoss struct {
	Mean float64 `json:"mean"` // before debiasing
	Bias float64 `json:"bias"` // lossBeta^steps; 0 before the first step
}

// add takes one step's loss in and returns the smoothed one.
func (s *smoothedLoss) add(loss float64) float64 {
	if s.Bias == 0 {
		s.Bias = 1
	}
	s.Mean = lossBeta*s.Mean + (1-lossBeta)*loss
	s.Bias *= lossBeta
	return s.value()
}

func (s *smoothedLoss) value() float64 {
	if s.Bias == 0 {
		return 0
	}
	return s.Mean / (1 - s.Bias)
}
