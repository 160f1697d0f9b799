package trainer

import (
	"math"
	"testing"
)

// Two passes over two pictures by hand; the mix turns the second prediction round.
func TestTTAMixesAsFastaiDoes(t *testing.T) {
	plain := []Labelled{{Label: 0, Probabilities: []float64{0.8, 0.2}}, {Label: 1, Probabilities: []float64{0.7, 0.3}}}
	sums := [][]float64{{0.9 + 0.7, 0.1 + 0.3}, {0.2 + 0.4, 0.8 + 0.6}}
	got := judgeTTA(plain, sums, 2)
	// 0.75*0.8 + 0.25*0.8 = 0.8 and 0.75*0.7 + 0.25*0.3 = 0.6
	if want := -(math.Log(0.8) + math.Log(0.6)) / 2; got.Accuracy != 1 || math.Abs(got.Loss-want) > 1e-12 {
		t.Errorf("%+v, want accuracy 1 and loss %v", got, want)
	}
}
