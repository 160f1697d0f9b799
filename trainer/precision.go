package trainer

import (
	"os"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
)

// The values of Recipe.AMP: in what a training computes.
const (
	AMPAuto = "auto" // bf16 on a GPU that our kernels are built for, else off
	AMPOff  = "off"  // float32
	BF16    = "bf16" // bfloat16 where it gains; weights, losses and statistics stay float32
	FP16    = "fp16" // float16 likewise, with a scaled loss, which keeps small gradients from vanishing
	TF32    = "tf32" // float32 in memory, products of matrices and convolutions on a GPU in 19 bits
)

// AMPNames lists them.
func AMPNames() []string { return []string{AMPAuto, AMPOff, BF16, FP16, TF32} }

// precision is what AMP means on the device: AMPOff, BF16, FP16 or TF32.
func (r Recipe) precision(device torch.Device) string {
	switch {
	case r.AMP != AMPAuto && (r.AMP != TF32 || device.IsCUDA()):
		return r.AMP
	case r.AMP == AMPAuto && device.IsCUDA() && torch.Library().CUDAKernels == "":
		return BF16
	}
	return AMPOff
}

// A lowered model computes its logits in 16 bits.
type lowered struct {
	models.Model
	device torch.Device
	dtype  torch.Dtype
}

func (l lowered) Logits(x torch.Tensor) (logits torch.Tensor) {
	torch.Autocast(l.device, l.dtype, func() { logits = l.Model.Logits(x) })
	return logits.CastTo(torch.Float)
}

// lower is the model as the precision has it computed.
func lower(model models.Model, device torch.Device, precision string) models.Model {
	switch precision {
	case BF16:
		return lowered{model, device, torch.BFloat16}
	case FP16:
		return lowered{model, device, torch.Half}
	}
	return model
}

// useDevice sets what libtorch computes with on the device.
func useDevice(r Recipe, w *World, device torch.Device) error {
	if err := useCPU(r, w); err != nil {
		return err
	}
	if r.Deterministic && os.Getenv("CUBLAS_WORKSPACE_CONFIG") == "" {
		os.Setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8") //nolint:errcheck // the name is a good one; cuBLAS reads it when it starts
	}
	return torch.Try(func() {
		torch.SetDeterministic(r.Deterministic)
		if device.IsCUDA() {
			torch.SetTF32(r.precision(device) == TF32)
			torch.SetCUDNNBenchmark(!r.Deterministic)
		}
	})
}

// PyTorch's GradScaler's.
const (
	scaleAtFirst  = 65536
	scaleGrowth   = 2
	scaleBackoff  = 0.5
	scaleInterval = 2000
)

// A lossScale keeps small gradients of float16 from vanishing: the loss is multiplied by a scale, which
// falls when gradients overflow, and rises again when they have not for long. Nothing waits for the device.
type lossScale struct {
	scale, tracker torch.Tensor // 0-dim Float and Int
}

func newLossScale(device torch.Device) *lossScale {
	return &lossScale{
		torch.Full(nil, scaleAtFirst, false).To(device, torch.Float),
		torch.FullOf(nil, 0, torch.Int).To(device, torch.Int),
	}
}

// of is a loss, scaled; a nil lossScale leaves it.
func (s *lossScale) of(loss torch.Tensor) torch.Tensor {
	if s == nil {
		return loss
	}
	return loss.Mul(s.scale)
}

// unscale brings gradients back; found becomes 1 if one of them is not finite.
func (s *lossScale) unscale(params []torch.Tensor, found torch.Tensor) {
	if s != nil {
		torch.UnscaleGrads(params, s.scale.Reciprocal(), found)
	}
}

// update moves the scale after a step.
func (s *lossScale) update(found torch.Tensor) {
	if s != nil {
		torch.UpdateScale(s.scale, s.tracker, found, scaleGrowth, scaleBackoff, scaleInterval)
	}
}

func (s *lossScale) state() map[string]torch.Tensor {
	return map[string]torch.Tensor{"scale": s.scale, "tracker": s.tracker}
}
