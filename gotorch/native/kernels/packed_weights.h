// Weights in the kernels' own layout, kept from call to call where nothing trains.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace gotorch::kernels {

// What make() returned for this tensor, which may serve a depthwise convolution or another, as long as
// it lives and is not written to: its version counter and its address tell. Whoever writes through a
// raw pointer must bump the counter (at::Tensor::unsafeGetTensorImpl()->bump_version()).
std::shared_ptr<float> packed_weight(const at::Tensor& weight, int form,
                                     const std::function<std::shared_ptr<float>()>& make);

// Drops what is kept for a tensor, or for all.
void forget_packed_weight(const at::Tensor& weight);
void forget_packed_weights();

}  // namespace gotorch::kernels
