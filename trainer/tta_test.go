package trainer

import (
	"math"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
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

// onePixel is a model whose logits are the values of one pixel of the first two channels.
type onePixel struct {
	models.Model
	y, x int64
}

func (m onePixel) Logits(x torch.Tensor) torch.Tensor {
	return x.Select(3, m.x).Select(2, m.y).Narrow(1, 0, 2)
}

// The six views by hand: for each pixel the picture's values there, beside it and mirrored, as they are weighed.
func TestMirrorShift(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	const side = 5
	x := draw(7, 2, 3, side, side)
	v := torch.Values[float32](x)
	at := func(n, c, i, j int) float64 { // reflected about the outermost pixels
		reflected := func(k int) int { return min(max(k, -k), 2*(side-1)-k) }
		return float64(v[((n*3+c)*side+reflected(i))*side+reflected(j)])
	}
	for i := range side {
		for j := range side {
			got := torch.Values[float32](mirrorShifted{onePixel{y: int64(i), x: int64(j)}}.Logits(x))
			for k := range got {
				n, c, far := k/2, k%2, side-1-j
				want := 0.25*(at(n, c, i, j)+at(n, c, i, far)) + 0.125*(at(n, c, i-1, j-1)+at(n, c, i+1, j+1)+at(n, c, i-1, far-1)+at(n, c, i+1, far+1))
				if math.Abs(float64(got[k])-want) > 1e-6 {
					t.Fatalf("pixel (%d,%d) of picture %d, channel %d: %v, want %v", i, j, n, c, got[k], want)
				}
			}
		}
	}
}
