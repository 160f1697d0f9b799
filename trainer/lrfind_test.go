package trainer

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

// What scripts/golden/trainer_lrfind.py wrote.
type goldenFind struct {
	Rates       []float64          `json:"rates"`
	Losses      []float64          `json:"losses"` // smoothed
	Suggestions map[string]float64 `json:"suggestions"`
}

func readGoldenFind(t *testing.T) (curves map[string]goldenFind, batch, size, cells, batches int) {
	t.Helper()
	g := testdata.Golden[struct {
		Batch, Size, Cells, Batches int
		Plain, Relu, Batchnorm      goldenFind
	}](t, "testdata/lrfind.json")
	return map[string]goldenFind{"plain": g.Plain, "relu": g.Relu, "batchnorm": g.Batchnorm}, g.Batch, g.Size, g.Cells, g.Batches
}

// batch draws a batch of the golden's: pictures [n, 3, size, size] of cells x cells
// plain squares, and labels [n].
func (c *congruential) batch(n, size, cells, classes int) (pixels []float32, labels []int64) {
	pixels, labels = make([]float32, n*3*size*size), make([]int64, n)
	colours := make([]float32, n*3*cells*cells)
	for i := range colours {
		colours[i] = float32(uint8(c.uniform()*256)) / 255
	}
	for i := range pixels {
		plane, y, x := i/(size*size), i/size%size, i%size
		pixels[i] = colours[(plane*cells+y*cells/size)*cells+x*cells/size]
	}
	for i := range labels {
		labels[i] = int64(c.uniform() * float64(classes))
	}
	return pixels, labels
}

func TestSuggestionsEqualFastai(t *testing.T) {
	curves, _, _, _, _ := readGoldenFind(t)
	for network, want := range curves {
		found := &LRFind{}
		for i, rate := range want.Rates {
			found.Points = append(found.Points, [2]float64{rate, want.Losses[i]})
		}
		found.suggest(false)
		checkSuggestions(t, network, found, want)
	}
}

func checkSuggestions(t *testing.T, network string, found *LRFind, want goldenFind) {
	t.Helper()
	if len(want.Suggestions) != 4 || len(found.Suggestions) != 4 {
		t.Fatalf("%s: %d suggestions, the golden has %d, want 4", network, len(found.Suggestions), len(want.Suggestions))
	}
	for name, rate := range want.Suggestions {
		if got := found.Suggestions[name]; !near(got, rate, 1e-6) {
			t.Errorf("%s: %s suggests %v, want %v", network, name, got, rate)
		}
	}
}

// The whole mock training, from the golden's weights and batches. Beyond a rate
// of 6e-3 rounding grows from step to step until nothing is left to compare;
// without ReLU the loss has exploded by then, and the suggestions must be fastai's.
func TestFinderEqualsFastai(t *testing.T) {
	curves, batch, size, cells, batches := readGoldenFind(t)
	for network, want := range curves {
		t.Run(network, func(t *testing.T) {
			scope := torch.NewScope()
			defer scope.Close()
			recipe := Article()
			recipe.Threads = 1
			if err := useCPU(recipe, nil); err != nil {
				t.Fatal(err)
			}
			recipe.ReLU, recipe.BatchNorm, recipe.Schedule = network != "plain", network == "batchnorm", Flat
			model, source := goldenNetwork(t, recipe, 4)
			optimizer := newOptimizer(model, recipe)
			defer optimizer.Close()
			xs, labels := make([]torch.Tensor, batches), make([]torch.Tensor, batches)
			for i := range batches {
				pixels, classes := source.batch(batch, size, cells, 4)
				xs[i] = torch.NewTensor(pixels).View(int64(batch), 3, int64(size), int64(size)).ChannelsLast()
				labels[i] = torch.NewTensor(classes)
			}
			found, err := searchRates(func(step int, rate float64) (float64, error) {
				inner := torch.NewScope()
				defer inner.Close()
				return optimise(model, optimizer, xs[step%batches], target{labels: labels[step%batches]}, rate, flatMomentum, nil, false, always), nil
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			whole := network == "plain"
			if whole && len(found.Points) != len(want.Rates) {
				t.Errorf("%d steps, want %d", len(found.Points), len(want.Rates))
			}
			const calm = 6e-3
			worst := 0.0
			for i, p := range found.Points[:min(len(found.Points), len(want.Rates))] {
				if !near(p[0], want.Rates[i], 1e-6) {
					t.Fatalf("step %d: rate %v, want %v", i, p[0], want.Rates[i])
				}
				if p[0] < calm {
					worst = max(worst, math.Abs(p[1]-want.Losses[i])/want.Losses[i])
				}
			}
			t.Logf("largest relative difference of a smoothed loss: %.2g", worst)
			if worst > 5e-5 {
				t.Errorf("a smoothed loss is %.2g off", worst)
			}
			if whole {
				checkSuggestions(t, network, found, want)
			}
		})
	}
}

func TestFinderStopsAtAnExplosion(t *testing.T) {
	for _, last := range []float64{math.NaN(), math.Inf(1)} {
		found, err := searchRates(func(step int, _ float64) (float64, error) {
			if step == 60 {
				return last, nil
			}
			return 2 - 0.01*float64(step), nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		// The end of 60 good losses is not cut: fastai cuts five of the bad ones.
		if len(found.Points) != 60 || !near(found.Suggestions["minimum"], found.Points[59][0]/10, 1e-12) {
			t.Errorf("%d points, suggestions %v", len(found.Points), found.Suggestions)
		}
	}
	early, err := searchRates(func(step int, _ float64) (float64, error) {
		if step == 3 {
			return math.NaN(), nil
		}
		return 1, nil
	}, nil)
	if err != nil || len(early.Suggestions) != 0 {
		t.Errorf("suggestions %v from three points (error %v)", early.Suggestions, err)
	}
	if _, err := early.Rate(); err == nil {
		t.Error("a rate from three points")
	}
	wrong := errors.New("no batch")
	if _, err := searchRates(func(int, float64) (float64, error) { return 0, wrong }, nil); !errors.Is(err, wrong) {
		t.Errorf("error %v, want %v", err, wrong)
	}
}

// The finder leaves weights, running statistics, optimiser and generator as they were.
func TestFinderRestoresEverything(t *testing.T) {
	set, recipe := colourSet(t, 20), quick()
	o := Options{Pictures: data.NewCache(set, 0), Log: slog.New(slog.DiscardHandler)}
	err := withFit(t.Context(), recipe, set, o, func(*fit) {}, func(f *fit) error {
		check := func(when string) {
			before := map[string][]float32{}
			state := func(keep func(name string, values []float32)) {
				for name, p := range f.model.StateDict() {
					if p.Dtype() == torch.Float {
						keep("model "+name, torch.Values[float32](p))
					} else {
						keep("model "+name, []float32{float32(p.ItemInt64())})
					}
				}
				for name, p := range f.optimizer.State() {
					keep("optimiser "+name, torch.Values[float32](p))
				}
				generator := torch.Values[byte](torch.RNGState())
				values := make([]float32, len(generator))
				for i, b := range generator {
					values[i] = float32(b)
				}
				keep("generator", values)
			}
			state(func(name string, values []float32) { before[name] = values })
			found, err := f.findLR(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(found.Points) < 3 {
				t.Fatalf("only %d points", len(found.Points))
			}
			count := 0
			state(func(name string, values []float32) {
				count++
				if !slices.Equal(before[name], values) {
					t.Errorf("%s: %s changed", when, name)
				}
			})
			if count != len(before) {
				t.Errorf("%s: %d states after, %d before", when, count, len(before))
			}
		}
		check("before any step")
		batches := &endless{loader: f.train}
		for range 2 {
			batch, err := batches.next(t.Context())
			if err != nil {
				return err
			}
			if _, err := f.optimiseBatch(batch, 0.01, 0.9, nil, alwaysOwn); err != nil {
				return err
			}
			batch.Release()
		}
		batches.close() // the finder needs the loader for itself
		check("after two steps")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
