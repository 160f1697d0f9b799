// Statistics of a layer's output, as fastai's ActivationStats(with_hist=True) takes them, in one pass.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels.h"

namespace gotorch::kernels {

// A row of statistics, in double precision: the mean, the standard deviation (unbiased; NaN for one
// value), the fraction of values <= 0.05, and the counts of 40 equal bins over [0, 10], 10 included.
constexpr int kBins = 40;
constexpr int kStatistics = 3 + kBins;

// Writes the row of t's values to out, a tensor of kStatistics doubles on t's device. On the CPU own
// kernels look at a dense float32 tensor once; elsewhere libtorch's operations do it, without waiting.
// A value within rounding of a bin's edge may count in the neighbour of where torch.histc has it.
void activation_statistics(const at::Tensor& t, const at::Tensor& out);

// Takes the rows of a convolution whose result raw (NHWC, pixels x channels) was kept from before its
// ReLU, and of the BatchNorm value*scale + offset behind that; relu: raw is made max(raw, 0) on the
// way. norm is ignored without scale. Either row may be undefined.
void observe_stage(float* raw, ptrdiff_t pixels, int channels, bool relu, const float* scale,
                   const float* offset, const at::Tensor& conv, const at::Tensor& norm);

}  // namespace gotorch::kernels
