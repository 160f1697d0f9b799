// The same blocks in libtorch's operations: for what own kernels do not cover, and to time them against.
#include "reference.h"

#include <ATen/ops/add.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/relu.h>

#include "activation.h"
#include "sync.h"

namespace gotorch::kernels {

at::Tensor reference_stage(const at::Tensor& x, const Stage& s, const at::Tensor& residual) {
  at::Tensor y = at::conv2d(x, s.weight, s.bias, s.stride, s.padding, s.dilation, s.groups);
  if (s.observe_conv.defined()) activation_statistics(y, s.observe_conv);
  if (s.order == Order::kConvReLU || s.order == Order::kConvReLUNorm) y = at::relu(y);
  if (has_norm(s.order)) {
    const bool batch = s.training || !s.running_mean.defined();
    y = batch_norm(y, s.gamma, s.beta, s.running_mean, s.running_var, batch, s.momentum, s.eps);
    if (s.observe_norm.defined()) activation_statistics(y, s.observe_norm);
  }
  if (residual.defined()) y = at::add(y, residual);
  if (relu_last(s.order)) y = at::relu(y);
  return y;
}

}  // namespace gotorch::kernels
