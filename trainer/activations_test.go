package trainer

import (
	"math"
	"slices"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// What scripts/golden/trainer_activations.py wrote.
type goldenActivations struct {
	Batch, Size, Cells int
	LR                 float64
	Steps              [][][]float64 // [step][layer][torch.Statistics]
}

// Each convolution's and each BatchNorm's statistics, from the golden's weights
// and batches, with both kinds of kernels. A value within rounding of a bin's
// edge may count in the neighbour.
func TestActivationsEqualFastai(t *testing.T) {
	want := testdata.Golden[goldenActivations](t, "testdata/activations.json")
	for _, kernels := range []string{"own", "libtorch"} {
		t.Run(kernels, func(t *testing.T) {
			scope := torch.NewScope()
			defer scope.Close()
			recipe := Article()
			recipe.Threads, recipe.Kernels, recipe.Schedule = 1, kernels, Flat
			if err := useCPU(recipe, nil); err != nil {
				t.Fatal(err)
			}
			losses, rows := observedSteps(t, recipe, want, true)
			if plain, _ := observedSteps(t, recipe, want, false); !slices.Equal(losses, plain) {
				t.Errorf("losses %v, unobserved %v", losses, plain)
			}
			for step := range want.Steps {
				compareRows(t, step, rows[step], want.Steps[step])
			}
		})
	}
}

// observedSteps trains the golden's steps and gives their losses and, if asked, their statistics.
func observedSteps(t *testing.T, recipe Recipe, want goldenActivations, watch bool) (losses []float64, rows [][]float64) {
	t.Helper()
	model, source := goldenNetwork(t, recipe, 4)
	optimizer := newOptimizer(model, recipe)
	defer optimizer.Close()
	var observer *nn.Observer
	if watch {
		observer = nn.Observe(model)
		if n := len(observer.Names); n != 15 || observer.Names[0] != "0.0.conv2d" || observer.Names[1] != "0.2.batchnorm2d" || observer.Names[14] != "7.0.conv2d" {
			t.Fatalf("%d layers: %q", n, observer.Names)
		}
	}
	for range want.Steps {
		pixels, classes := source.batch(want.Batch, want.Size, want.Cells, 4)
		x := torch.NewTensor(pixels).View(int64(want.Batch), 3, int64(want.Size), int64(want.Size)).ChannelsLast()
		losses = append(losses, optimise(model, optimizer, x, target{labels: torch.NewTensor(classes)}, want.LR, flatMomentum, nil, false, always))
		if watch {
			rows = append(rows, observer.Read())
		}
	}
	return losses, rows
}

func compareRows(t *testing.T, step int, got []float64, want [][]float64) {
	t.Helper()
	for layer, row := range want {
		mine := got[layer*torch.Statistics : (layer+1)*torch.Statistics]
		size := math.Abs(row[0]) + row[1] // of the values
		if math.Abs(mine[0]-row[0]) > 1e-4*size || math.Abs(mine[1]-row[1]) > 1e-4*size {
			t.Errorf("step %d, layer %d: mean %v std %v, want %v %v", step, layer, mine[0], mine[1], row[0], row[1])
		}
		if math.Abs(mine[2]-row[2]) > 2e-3 {
			t.Errorf("step %d, layer %d: %v near zero, want %v", step, layer, mine[2], row[2])
		}
		moved, total := 0.0, 0.0
		for bin, count := range row[3:] {
			moved += math.Abs(mine[3+bin] - count)
			total += count
		}
		if moved > 2+2e-3*total {
			t.Errorf("step %d, layer %d: %v of %v counts lie in other bins: %v, want %v", step, layer, moved/2, total, mine[3:], row[3:])
		}
	}
}

// On values that lie on the edges of bins and beyond them.
func TestActivationStatisticsOfEdges(t *testing.T) {
	scope := torch.NewScope()
	defer scope.Close()
	values := []float32{-3, float32(math.Copysign(0, -1)), 0, 0.05, 0.06, 0.25, 9.99, 10, 10.1, 1e30, float32(math.Inf(-1))}
	row := torch.FullOf([]int64{torch.Statistics}, 0, torch.Double)
	torch.ActivationStatistics(torch.NewTensor(values), row)
	got := torch.Values[float64](row)
	if got[2] != 5.0/11 {
		t.Errorf("%v near zero, want 5/11", got[2])
	}
	bins := make([]float64, 40)
	bins[0], bins[1], bins[39] = 4, 1, 2
	if !slices.Equal(got[3:], bins) {
		t.Errorf("counts %v, want %v", got[3:], bins)
	}
	finite := []float32{1, 2, 3, 4}
	torch.ActivationStatistics(torch.NewTensor(finite), row)
	if got := torch.Values[float64](row); got[0] != 2.5 || math.Abs(got[1]-math.Sqrt(5.0/3)) > 1e-7 {
		t.Errorf("mean %v std %v, want 2.5 and sqrt(5/3)", got[0], got[1])
	}
}
