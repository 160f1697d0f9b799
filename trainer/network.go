package trainer

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/models"
)

// Adam's constants as fastai sets them; see spec: decoupled weight decay,
// squared-gradient mean 0.99, eps 1e-5.
const (
	adamBeta2 = 0.99
	adamEps   = 1e-5
)

// cpu is where checkpoints and logits are read.
func cpu() torch.Device { return torch.NewDevice("cpu") }

// pictures borrows a batch's memory as a [N, 3, S, S] tensor on the device, float32 or uint8 as the batch is, in
// channels-last order when it is NHWC. The batch must not be released while the tensor lives.
func pictures(b *augment.Batch, device torch.Device) torch.Tensor {
	n, s := int64(b.N), int64(b.Size)
	memory, dtype := unsafe.Pointer(unsafe.SliceData(b.Data)), torch.Float
	if b.Dtype == augment.Uint8 {
		dtype = torch.Byte
	}
	there := func(t torch.Tensor) torch.Tensor {
		if device.IsCUDA() {
			return t.CUDA(device, true)
		}
		return t
	}
	if b.Layout == augment.NHWC {
		return there(torch.Borrow(memory, dtype, []int64{n, s, s, 3})).Permute([]int64{0, 3, 1, 2})
	}
	return there(torch.Borrow(memory, dtype, []int64{n, 3, s, s}))
}

// optimise takes one step on pictures x [N, 3, S, S] towards the target and gives
// the batch's mean loss from before the step. The weights stay as they are when
// proceed, given that loss, says no. The gradients are those of all processes that
// average. last tells that no batch of the epoch follows.
func optimise(model models.Model, optimizer *optimizer, x torch.Tensor, t target, lr, momentum float64, average *averaging, last bool, proceed func(own float64) bool) float64 {
	return optimiseIn(parting{}, model, optimizer, x, t, lr, momentum, average, last, proceed)
}

// optimiseIn is optimise with the batch taken in parts.
func optimiseIn(p parting, model models.Model, optimizer *optimizer, x torch.Tensor, t target, lr, momentum float64, average *averaging, last bool, proceed func(own float64) bool) float64 {
	optimizer.setRates(lr, momentum)
	optimizer.begin()
	loss := addGradients(p, model, optimizer, x, t, average).ItemFloat64()
	if proceed(loss) {
		optimizer.end(last)
	} else {
		optimizer.ZeroGrad()
	}
	return loss
}

// always is for optimise, alwaysOwn for optimiseBatch.
func always(float64) bool                   { return true }
func alwaysOwn(own float64) (float64, bool) { return own, true }

// carryWeights copies every parameter and buffer of the model file that the
// model has under the same name and shape.
func carryWeights(path string, model models.Model) error {
	tensors, _, err := readTensors(path)
	if err != nil {
		return err
	}
	state := model.StateDict()
	for name, old := range tensors {
		if fresh, ok := state[name]; ok && slices.Equal(old.Shape(), fresh.Shape()) {
			state[name] = old
		}
	}
	return model.SetStateDict(state)
}

// newModel builds the recipe's network with fresh weights.
func newModel(r Recipe, classes int) (models.Model, error) {
	return models.New(r.Model, r.modelOptions(classes))
}

func (r Recipe) modelOptions(classes int) models.Options {
	return models.Options{
		Classes: classes, ReLU: r.ReLU, BatchNorm: r.BatchNorm, Width: r.Width, Depth: r.Depth, Activation: r.Activation,
		Dropout: r.Dropout, DropPath: r.DropPath, Layers: r.Layers, Size: r.Size,
	}
}

// toDevice moves every parameter and buffer to the device; convolution weights
// take channels-last order, as the pictures have.
func toDevice(model models.Model, device torch.Device) {
	model.To(device)
	model.ToChannelsLast()
}

// useCPU sets what libtorch computes with on the CPU. What "auto" finds out
// about kernels is remembered in the user's cache folder, so that later runs
// compute the same without timing anything.
func useCPU(r Recipe, w *World) error {
	torch.SetNumThreads(int32(r.threads(w)))
	if w != nil && r.Kernels == "auto" {
		// Timings differ from process to process, and with them who would take part in which collective.
		r.Kernels = "own"
	}
	choices := KernelChoiceFile()
	if choices != "" && os.MkdirAll(filepath.Dir(choices), 0o755) != nil {
		choices = "" // timed anew in each process
	}
	return torch.SetKernels(r.Kernels, choices)
}

// KernelChoiceFile is the file in the user's cache that remembers what "auto" found out about kernels; "" where there
// is no such folder.
func KernelChoiceFile() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "orrery", "kernels")
}

// threads is how many libtorch computes with: processes share a machine's cores.
func (r Recipe) threads(w *World) int {
	if r.Threads > 0 {
		return r.Threads
	}
	return max(1, runtime.NumCPU()/w.LocalSize())
}

// resolveDevice turns a recipe's device into one that is there. Of several GPUs
// each process on a machine takes its own.
func resolveDevice(name string, w *World) (torch.Device, string, error) {
	if name == "auto" {
		name = "cpu"
		if torch.IsCUDAAvailable() {
			name = "cuda:0"
		}
	}
	if w != nil && (name == "cuda" || name == "cuda:0") {
		name = fmt.Sprintf("cuda:%d", w.place.LocalRank)
	}
	if strings.HasPrefix(name, "cuda") && !torch.IsCUDAAvailable() {
		return torch.Device{}, "", fmt.Errorf("device %s was asked for, but there is no GPU to use: %s; use --device cpu, or see orrery doctor", name, torch.Library().CUDA)
	}
	var device torch.Device
	err := torch.Try(func() { device = torch.NewDevice(name) })
	return device, name, err
}
