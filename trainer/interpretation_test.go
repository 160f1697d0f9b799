package trainer

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

// What scripts/golden/trainer_interpretation.py wrote.
type goldenInterpretation struct {
	Batch, Size, Cells, Batches, Rounds int

	Classes       []string
	Labels        []int
	Probabilities [][]float64
	Confusion     [][]int
	TopLosses     [][2]float64 `json:"top_losses"` // index, loss
}

// Probabilities, confusion matrix and top losses from the golden's weights and pictures are those that fastai's
// ClassificationInterpretation finds.
func TestInterpretationEqualsFastai(t *testing.T) {
	want := testdata.Golden[goldenInterpretation](t, "testdata/interpretation.json")
	for _, kernels := range []string{"own", "libtorch"} {
		t.Run(kernels, func(t *testing.T) {
			scope := torch.NewScope()
			defer scope.Close()
			recipe := Article()
			recipe.Threads, recipe.Kernels = 1, kernels
			if err := useCPU(recipe, nil); err != nil {
				t.Fatal(err)
			}
			model, source := goldenNetwork(t, recipe, len(want.Classes))
			set := &data.Dataset{Classes: want.Classes}
			var batches []torch.Tensor
			for range want.Batches {
				pixels, _ := source.batch(want.Batch, want.Size, want.Cells, len(want.Classes))
				batches = append(batches, torch.NewTensor(pixels).View(int64(want.Batch), 3, int64(want.Size), int64(want.Size)).ChannelsLast())
			}
			for i, label := range want.Labels {
				set.Samples = append(set.Samples, data.Sample{Path: fmt.Sprint(i), Label: label})
			}
			counted := newTally(set)
			torch.NoGrad(func() {
				model.Train(true)
				for range want.Rounds {
					for _, x := range batches {
						model.Logits(x)
					}
				}
				model.Train(false)
				for b, x := range batches {
					var indices []int
					var labels []int64
					for i := range want.Batch {
						indices, labels = append(indices, b*want.Batch+i), append(labels, int64(want.Labels[b*want.Batch+i]))
					}
					counted.add(torch.Values[float32](model.Logits(x)), indices, labels)
				}
			})
			e := counted.evaluation()
			if diff := cmp.Diff(want.Confusion, e.Confusion); diff != "" {
				t.Errorf("confusion (-fastai +ours):\n%s", diff)
			}
			for i, p := range e.Predictions() {
				for c, probability := range p.Probabilities {
					if math.Abs(probability-want.Probabilities[i][c]) > 1e-5 {
						t.Errorf("picture %d: %v, want %v", i, p.Probabilities, want.Probabilities[i])
						break
					}
				}
			}
			for i, top := range want.TopLosses {
				if got := e.TopLosses[i]; got.Path != fmt.Sprint(int(top[0])) || !near(got.Loss, top[1], 1e-5) {
					t.Errorf("top loss %d is that of picture %s, %v; want %v", i, got.Path, got.Loss, top)
				}
			}
		})
	}
}
