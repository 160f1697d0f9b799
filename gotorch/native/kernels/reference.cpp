// The same blocks in libtorch's operations: for what own kernels do not cover, and to time them against.
#include "reference.h"

#include <ATen/ops/add.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/relu.h>

#include <cmath>

#include "../relu_norm.h"
#include "activation.h"
#include "sync.h"

namespace gotorch::kernels {

at::Tensor reference_stage(const at::Tensor& x, const Stage& s, const at::Tensor& residual) {
  const auto relu = [&](const at::Tensor& t) {
    return std::isinf(s.relu_cap) ? at::relu(t) : at::hardtanh(t, 0, s.relu_cap);
  };
  at::Tensor y;
  if (s.padding == s.padding_end) {
    y = at::conv2d(x, s.weight, s.bias, s.stride, s.padding, s.dilation, s.groups);
  } else {
    const at::Tensor wide =
        at::constant_pad_nd(x, {s.padding[1], s.padding_end[1], s.padding[0], s.padding_end[0]});
    y = at::conv2d(wide, s.weight, s.bias, s.stride, at::IntArrayRef({0, 0}), s.dilation, s.groups);
  }
  if (s.observe_conv.defined()) activation_statistics(y, s.observe_conv);
  if (fuses(y, s, residual)) {
    y = relu_norm(y, s, residual);
    if (s.observe_norm.defined()) activation_statistics(y, s.observe_norm);
    return y;
  }
  if (s.order == Order::kConvReLU || s.order == Order::kConvReLUNorm) y = relu(y);
  if (has_norm(s.order)) {
    const bool batch = s.training || !s.running_mean.defined();
    y = batch_norm(y, s.gamma, s.beta, s.running_mean, s.running_var, batch, s.momentum, s.eps);
    if (s.observe_norm.defined()) activation_statistics(y, s.observe_norm);
  }
  if (residual.defined()) y = at::add(y, residual);
  if (relu_last(s.order)) y = relu(y);
  return y;
}

}  // namespace gotorch::kernels
