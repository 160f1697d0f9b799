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
	F "github.com/wangkuiyi/gotorch/nn/functional"

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

// newOptimizer is fastai's default Adam over the model's parameters. Biases and
// BatchNorm's weights are vectors, and those do not decay.
func newOptimizer(model models.Model, r Recipe) torch.Optimizer {
	lr, momentum := Rates(r.Schedule, r.LearningRate, 0, 1)
	var weights, vectors []torch.Tensor
	for _, p := range model.Parameters() {
		if p.Dim() > 1 {
			weights = append(weights, p)
		} else {
			vectors = append(vectors, p)
		}
	}
	optimizer := torch.AdamW(lr, momentum, adamBeta2, adamEps, r.WeightDecay)
	optimizer.AddParameters(weights)
	unchanged := optimizer.Defaults()
	unchanged.WeightDecay = 0
	optimizer.AddGroup(vectors, unchanged)
	return optimizer
}

// pictures borrows a batch's memory as a float32 [N, 3, S, S] tensor on the
// device, in channels-last order when the batch is NHWC. The batch must not be
// released while the tensor lives.
func pictures(b *augment.Batch, device torch.Device) torch.Tensor {
	n, s := int64(b.N), int64(b.Size)
	memory := unsafe.Pointer(unsafe.SliceData(b.Images))
	if b.Layout == augment.NHWC {
		return torch.Borrow(memory, torch.Float, []int64{n, s, s, 3}).Permute([]int64{0, 3, 1, 2}).To(device, torch.Float)
	}
	return torch.Borrow(memory, torch.Float, []int64{n, 3, s, s}).To(device, torch.Float)
}

// optimise takes one step on pictures x [N, 3, S, S] with labels [N] and gives
// the batch's mean cross entropy from before the step, in nats. The weights stay
// as they are when proceed, given that loss, says no.
func optimise(model models.Model, optimizer torch.Optimizer, x, labels torch.Tensor, lr, momentum float64, proceed func(loss float64) bool) float64 {
	return optimiseLoss(model, optimizer, x, func(logits torch.Tensor) torch.Tensor {
		return F.CrossEntropy(logits, labels, torch.Tensor{}, -100, "mean")
	}, lr, momentum, proceed)
}

// optimiseLoss is optimise for any loss, a scalar of the logits [N, classes].
func optimiseLoss(model models.Model, optimizer torch.Optimizer, x torch.Tensor, lossOf func(logits torch.Tensor) torch.Tensor, lr, momentum float64, proceed func(loss float64) bool) float64 {
	optimizer.SetLR(lr)
	optimizer.SetMomentum(momentum)
	optimizer.ZeroGrad()
	mean := lossOf(model.Logits(x))
	mean.Backward()
	loss := mean.ItemFloat64()
	if proceed(loss) {
		optimizer.Step()
	}
	return loss
}

// batchLoss is the mean cross entropy of a batch, in nats. Of a mixed sample it
// is that of both labels, each by its share (fastai's MixHandler).
func batchLoss(logits torch.Tensor, batch *augment.Batch, device torch.Device) torch.Tensor {
	labels := torch.NewTensor(batch.Labels).To(device, torch.Long)
	if batch.Mix == nil {
		return F.CrossEntropy(logits, labels, torch.Tensor{}, -100, "mean")
	}
	partners := torch.NewTensor(batch.Mix.Labels).To(device, torch.Long)
	own := torch.NewTensor(batch.Mix.Weight).To(device, torch.Float)
	a := F.CrossEntropy(logits, labels, torch.Tensor{}, -100, "none")
	b := F.CrossEntropy(logits, partners, torch.Tensor{}, -100, "none")
	return torch.Add(b, own.Mul(torch.Sub(a, b, 1)), 1).Mean()
}

// always is for optimise.
func always(float64) bool { return true }

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
	return models.New(r.Model, models.Options{Classes: classes, ReLU: r.ReLU, BatchNorm: r.BatchNorm})
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
func useCPU(r Recipe) error {
	torch.SetNumThreads(int32(r.threads()))
	choices := ""
	if cache, err := os.UserCacheDir(); err == nil {
		choices = filepath.Join(cache, "orrery", "kernels")
		if err := os.MkdirAll(filepath.Dir(choices), 0o755); err != nil {
			choices = "" // timed anew in each process
		}
	}
	return torch.SetKernels(r.Kernels, choices)
}

// threads is how many libtorch computes with.
func (r Recipe) threads() int {
	if r.Threads > 0 {
		return r.Threads
	}
	return runtime.NumCPU()
}

// resolveDevice turns a recipe's device into one that is there.
func resolveDevice(name string) (torch.Device, string, error) {
	if name == "auto" {
		name = "cpu"
		if torch.IsCUDAAvailable() {
			name = "cuda:0"
		}
	}
	if strings.HasPrefix(name, "cuda") && !torch.IsCUDAAvailable() {
		return torch.Device{}, "", fmt.Errorf("device %s was asked for, but this libtorch (%s) sees no CUDA device; use --device cpu, or see orrery doctor", name, torch.Library().Torch)
	}
	var device torch.Device
	err := torch.Try(func() { device = torch.NewDevice(name) })
	return device, name, err
}
