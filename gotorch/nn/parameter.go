package nn

import (
	"math"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

// parameter returns an uninitialised Float tensor that requires a gradient.
func parameter(shape ...int64) torch.Tensor { return torch.Empty(shape, true) }

// resetWeightAndBias is reset_parameters of PyTorch's convolutions and linear layers.
func resetWeightAndBias(weight, bias *torch.Tensor) {
	initializer.KaimingUniform(weight, math.Sqrt(5), "fan_in", "leaky_relu")
	if bias.T == nil {
		return
	}
	if fanIn, _ := initializer.CalculateFanInAndFanOut(*weight); fanIn > 0 {
		bound := 1 / math.Sqrt(float64(fanIn))
		initializer.Uniform(bias, -bound, bound)
	}
}
