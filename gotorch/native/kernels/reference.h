#pragma once

#include "conv_block.h"

namespace gotorch::kernels {

inline bool has_norm(Order o) { return o >= Order::kConvReLUNorm; }
// ReLU between the convolution and the BatchNorm, or after the BatchNorm.
inline bool relu_first(Order o) { return o == Order::kConvReLU || o == Order::kConvReLUNorm; }
inline bool relu_last(Order o) { return o == Order::kConvNormReLU; }

// Each channel by itself.
inline bool depthwise(const Stage& s) {
  return s.groups > 1 && s.groups == s.weight.size(0) && s.weight.size(1) == 1;
}

at::Tensor reference_stage(const at::Tensor& x, const Stage& stage,
                           const at::Tensor& residual = {});

// Own kernels, for stages that are all covered.
at::Tensor own_chain(const at::Tensor& x, const std::vector<Stage>& stages,
                     const at::Tensor& residual);

}  // namespace gotorch::kernels
