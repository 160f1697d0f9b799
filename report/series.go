package report

// lossCurves are the losses on one x axis, thinned for drawing.
type lossCurves struct {
	axis           string // what x counts
	x              []float64
	raw, smoothed  []float64 // against x
	validX, validY []float64 // at each epoch's last step
	kept           []int     // indices into Steps, nil without steps
}

// lossSeries takes the losses of steps.csv, at most about limit points. Without
// steps it falls back to the epochs' losses.
func (r *Run) lossSeries(limit int) lossCurves {
	if len(r.Steps) == 0 {
		l := lossCurves{axis: "epoch"}
		for _, e := range r.History {
			x := float64(e.Epoch)
			l.x, l.smoothed = append(l.x, x), append(l.smoothed, e.TrainLoss)
			l.validX, l.validY = append(l.validX, x), append(l.validY, e.ValidLoss)
		}
		return l
	}
	l := lossCurves{axis: "step"}
	ends := r.epochEnds()
	raw := make([]float64, len(r.Steps))
	for i, s := range r.Steps {
		raw[i] = s.Loss
	}
	epochs := r.shownEpochs(limit / 2)
	always := make([]int, 0, len(epochs))
	for _, e := range epochs {
		if i, ok := ends[e.Epoch]; ok {
			always = append(always, i)
		}
	}
	l.kept = Thin(raw, limit-len(always), always...)
	for _, i := range l.kept {
		s := r.Steps[i]
		l.x = append(l.x, float64(s.Step))
		l.raw, l.smoothed = append(l.raw, s.Loss), append(l.smoothed, s.SmoothedLoss)
	}
	for _, e := range epochs {
		if i, ok := ends[e.Epoch]; ok {
			l.validX = append(l.validX, float64(r.Steps[i].Step))
			l.validY = append(l.validY, e.ValidLoss)
		}
	}
	return l
}

// shownEpochs are at most about limit of the epochs that ended, among them those with the lowest and the
// highest validation loss.
func (r *Run) shownEpochs(limit int) []Epoch {
	losses := make([]float64, len(r.History))
	for i, e := range r.History {
		losses[i] = e.ValidLoss
	}
	var shown []Epoch
	for _, i := range Thin(losses, limit) {
		shown = append(shown, r.History[i])
	}
	return shown
}

// epochEnds maps an epoch to the index of its last step.
func (r *Run) epochEnds() map[int]int {
	ends := map[int]int{}
	for i, s := range r.Steps {
		ends[s.Epoch] = i
	}
	return ends
}

type scheduleCurves struct{ x, rate, momentum []float64 }

// scheduleSeries takes the learning rate and the momentum of steps.csv.
func (r *Run) scheduleSeries(limit int) scheduleCurves {
	rate := make([]float64, len(r.Steps))
	for i, s := range r.Steps {
		rate[i] = s.LearningRate
	}
	var c scheduleCurves
	for _, i := range Thin(rate, limit) {
		s := r.Steps[i]
		c.x, c.rate, c.momentum = append(c.x, float64(s.Step)), append(c.rate, s.LearningRate), append(c.momentum, s.Momentum)
	}
	return c
}
