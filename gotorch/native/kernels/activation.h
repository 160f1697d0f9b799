// Statistics of a layer's output, as fastai's ActivationStats(with_hist=True) takes them, in one pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

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

// Counts of values by several threads; then the row of them all.
void write_statistics(const std::vector<ValueCounts>& parts, const at::Tensor& out);

// Counts dense values on all threads; cap, if not null: they are made min(max(value, 0), *cap) on the way.
void observe_values(float* raw, ptrdiff_t values, const float* cap,
                    std::vector<ValueCounts>* parts);

// The same of the BatchNorm raw*scale + offset, NHWC, without a write.
void observe_norm(float* raw, ptrdiff_t pixels, int channels, const float* scale,
                  const float* offset, std::vector<ValueCounts>* parts);

// The same of the block that t has written, all panels of it, on the calling thread: counts grows.
void observe_block(const Forward& t, ValueCounts* counts);

}  // namespace gotorch::kernels
