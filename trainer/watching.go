package trainer

import (
	"fmt"
	"image"
	"log/slog"
	"math"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/augment"
)

// An ActivationWatcher is a Watcher that wants statistics of what every layer
// with parameters returns, in training, step by step. Taking them changes no result.
type ActivationWatcher interface {
	// Layers names them, before the first step.
	Layers(names []string)
	// Activations gives a row of torch.Statistics numbers for each layer: mean,
	// standard deviation, fraction <= 0.05, 40 counts over [0, 10]. It is called
	// after StepEnds and must return at once.
	Activations(step int, rows []float64)
}

// A BatchWatcher is a Watcher that now and then wants to see the batch under way.
type BatchWatcher interface {
	// WantsBatch tells how many of the batch's pictures to hand out now; mostly none.
	WantsBatch() int
	// Batch gets the first pictures as the network sees them, their classes, and
	// the class the network, as it is now, predicts for each with its probability.
	Batch(step int, pictures []image.Image, actual, predicted []string, probabilities []float64)
}

// observe begins to take statistics of the layers, if a watcher wants any.
func (f *fit) observe() error {
	var watchers []ActivationWatcher
	for _, w := range f.Watchers {
		if w, ok := w.(ActivationWatcher); ok {
			watchers = append(watchers, w)
		}
	}
	if len(watchers) == 0 {
		return nil
	}
	return torch.Try(func() {
		f.observer = nn.Observe(f.model)
		f.health.layers = make([]int, len(f.observer.Names))
		for _, w := range watchers {
			w.Layers(f.observer.Names)
		}
	})
}

// tellLayers hands the statistics of a step out.
func (f *fit) tellLayers(step int) error {
	if f.observer == nil {
		return nil
	}
	return torch.Try(func() {
		rows := f.observer.Read()
		f.health.seeLayers(f.Log, step, f.observer.Names, rows)
		for _, w := range f.Watchers {
			if w, ok := w.(ActivationWatcher); ok {
				w.Activations(step, rows)
			}
		}
	})
}

// tellBatch shows the batch under way to those who want it.
func (f *fit) tellBatch(step int, batch *augment.Batch) error {
	for _, w := range f.Watchers {
		w, ok := w.(BatchWatcher)
		if !ok {
			continue
		}
		n := min(w.WantsBatch(), batch.N)
		pixels := batch.Floats(max(n, 0))
		if len(pixels) == 0 {
			continue
		}
		logits, err := f.guess(batch, n)
		if err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		pictures, classes := make([]image.Image, n), len(f.set.Classes)
		mean, std := f.recipe.normalization()
		actual, predicted, sure := make([]string, n), make([]string, n), make([]float64, n)
		for i := range n {
			row := logits[i*classes : (i+1)*classes]
			best := argmax(row)
			pictures[i] = toImage(pixels[i*3*batch.Size*batch.Size:], batch.Size, mean, std)
			actual[i], predicted[i], sure[i] = f.set.Classes[batch.Labels[i]], f.set.Classes[best], softmax(row)[best]
		}
		w.Batch(step, pictures, actual, predicted, sure)
	}
	return nil
}

// guess gives the logits of the batch's first n pictures, in evaluation mode,
// so that nothing of the training moves.
func (f *fit) guess(batch *augment.Batch, n int) (logits []float32, err error) {
	first := *batch
	first.N = n
	err = torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		f.model.Train(false)
		defer f.model.Train(true)
		torch.NoGrad(func() { logits = torch.Values[float32](f.model.Logits(pictures(&first, f.device)).To(cpu())) })
	})
	return logits, err
}

const (
	deadShare  = 0.95 // of a layer's values near zero make it dead,
	deadSteps  = 20   // after so many steps in a row
	lossWindow = 50   // steps whose mean loss is compared with chance
	atChance   = 0.98 // times the loss of guessing counts as chance
)

// health watches for layers that die and a loss that collapses to chance; each is told once.
type health struct {
	layers   []int // steps in a row on which the layer was near zero; -1: told
	losses   []float64
	told     bool
	windows  int  // full ones seen
	wasBelow bool // some window's mean was well below chance
}

func (h *health) seeLayers(log *slog.Logger, step int, names []string, rows []float64) {
	for i, name := range names {
		share := rows[i*torch.Statistics+2]
		switch {
		case h.layers[i] < 0:
		case share > deadShare:
			if h.layers[i]++; h.layers[i] == deadSteps {
				h.layers[i] = -1
				log.Warn("a layer is dead: nearly all of what it returns is near zero; try a lower --lr or --batchnorm",
					"layer", name, "near_zero", math.Round(share*1e4)/1e4, "step", step)
			}
		default:
			h.layers[i] = 0
		}
	}
}

// seeLoss warns when the mean loss of a window is what guessing gives, once it
// had been lower before, or still is after three windows.
func (h *health) seeLoss(log *slog.Logger, step, classes int, loss float64) {
	h.losses = append(h.losses, loss)
	if h.told || len(h.losses) < lossWindow {
		return
	}
	mean := 0.0
	for _, l := range h.losses {
		mean += l / lossWindow
	}
	h.losses = h.losses[:0]
	h.windows++
	chance := math.Log(float64(classes))
	if mean < 0.9*chance {
		h.wasBelow = true
	}
	if mean >= atChance*chance && (h.wasBelow || h.windows >= 3) {
		h.told = true
		log.Warn("the loss is that of guessing; try a lower --lr, or look for wrong labels",
			"loss", math.Round(mean*1e4)/1e4, "guessing", math.Round(chance*1e4)/1e4, "step", step)
	}
}
