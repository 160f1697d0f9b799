package trainer

import (
	"fmt"
	"strings"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
)

// outOfMemory tells whether an error is a GPU's, or libtorch's on the CPU, that memory ran out.
func outOfMemory(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "out of memory") || strings.Contains(text, "can't allocate memory")
}

// halve makes steps take their batch in twice as many parts, whose gradients add up, after one of n
// pictures ran out of memory with cause. It is the error where that cannot help.
func (f *fit) halve(n int, cause error) error {
	parts := max(1, f.parting.parts)
	sizes := fmt.Sprintf("%s on %d pictures of %dx%d pixels at a time", f.recipe.Model, (n+parts-1)/parts, f.recipe.Size, f.recipe.Size)
	if f.deviceName != "cpu" {
		sizes += gpuMemory(f.device)
	}
	switch {
	case parts >= n:
		return fmt.Errorf("%s does not fit into memory; lower --size, or take a smaller --model: %w", sizes, cause)
	case f.World != nil:
		return fmt.Errorf("%s does not fit into memory; lower --batch-size: %w", sizes, cause)
	case f.optimizer.open > 0:
		return fmt.Errorf("%s does not fit into memory; lower --batch-size and raise --accumulate: %w", sizes, cause)
	}
	f.parting.parts = 2 * parts
	f.Log.Warn("out of memory: each batch is now taken in parts whose gradients add up; BatchNorm's statistics are those of a part",
		"step", f.progress.Step, "parts", 2*parts, "pictures_a_part", (n+2*parts-1)/(2*parts), "was", sizes, "reason", firstLine(cause.Error()))
	return nil
}

// gpuMemory is what a GPU has, in words; "" where nobody knows.
func gpuMemory(device torch.Device) (text string) {
	torch.Try(func() { //nolint:errcheck // without our library nobody knows
		free, all := torch.CUDAMemory(device)
		text = fmt.Sprintf(", with %d of the GPU's %d MiB free", free>>20, all>>20)
	})
	return text
}

// A parting is how a batch is taken where memory is short.
type parting struct {
	parts int               // 0: one
	fits  func(n int) error // stands in for the device's memory in tests
}

// addGradients does forward and backward passes of a batch in parts; it gives the mean loss, of no
// dimension and without a gradient.
func addGradients(p parting, model models.Model, optimizer *optimizer, x torch.Tensor, t target, average *averaging) torch.Tensor {
	n, parts := x.Shape()[0], int64(max(1, p.parts))
	size := (n + parts - 1) / parts
	var mean torch.Tensor
	for from := int64(0); from < n; from += size {
		to := min(from+size, n)
		if p.fits != nil {
			panicWith(p.fits(int(to - from)))
		}
		part, share := t, 1.0
		own := x
		if to-from < n {
			own, part, share = x.Narrow(0, from, to-from), t.narrow(from, to), float64(to-from)/float64(n)
		}
		average.beforeForward()
		loss := optimizer.criterion.loss(model.Logits(own), part)
		if share != 1 {
			loss = loss.MulScalar(share)
		}
		average.backward(optimizer.share(loss))
		if loss = loss.Detach(); mean.T == nil {
			mean = loss
		} else {
			mean = mean.Add(loss, 1)
		}
	}
	return mean
}

// narrow is the target of the pictures from..to-1.
func (t target) narrow(from, to int64) target {
	cut := func(x torch.Tensor) torch.Tensor {
		if x.T == nil {
			return x
		}
		return x.Narrow(0, from, to-from)
	}
	return target{cut(t.labels), cut(t.partner), cut(t.own)}
}
