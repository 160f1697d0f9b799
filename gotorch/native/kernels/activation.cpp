#include "activation.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "parallel.h"

namespace gotorch::kernels {

namespace {

double* row_of(const at::Tensor& out) {
  TORCH_CHECK(out.dim() == 1 && out.size(0) == kStatistics && out.scalar_type() == at::kDouble &&
                  out.is_contiguous(),
              "a row of activation statistics is a tensor of ", kStatistics, " doubles");
  return out.mutable_data_ptr<double>();
}

void finish(const std::vector<ValueCounts>& parts, double count, double shift, double* row) {
  ValueCounts all;
  for (const ValueCounts& p : parts) {
    all.sum += p.sum, all.square += p.square, all.near_zero += p.near_zero;
    for (int b = 0; b < ValueCounts::kSlots; b++) all.bins[b] += p.bins[b];
  }
  const double off = all.sum / count;
  row[0] = shift + off;
  row[1] = count > 1 ? std::sqrt(std::max(0.0, all.square - all.sum * off) / (count - 1))
                     : std::numeric_limits<double>::quiet_NaN();
  row[2] = static_cast<double>(all.near_zero) / count;
  for (int b = 0; b < kBins; b++) row[3 + b] = static_cast<double>(all.bins[b]);
  row[3 + kBins - 1] += static_cast<double>(all.bins[kBins]);  // exactly 10
}

// libtorch's operations, on any device.
void general(const at::Tensor& t, const at::Tensor& out) {
  // A bin's count must not stop at 2^24, as one of single precision does.
  const bool many = t.numel() >= 1 << 24;
  const at::Tensor x = many ? t.to(at::kDouble) : t.to(at::kFloat);
  const at::Tensor near = at::le(t.to(at::kFloat), 0.05).to(at::kFloat).mean(at::kDouble);
  const at::Tensor head = at::stack({x.mean().to(at::kDouble), x.std().to(at::kDouble), near});
  out.copy_(at::cat({head, at::histc(x, kBins, 0, 10).to(at::kDouble)}), /*non_blocking=*/true);
}

}  // namespace

void activation_statistics(const at::Tensor& t, const at::Tensor& out) {
  const at::NoGradGuard no_grad;
  TORCH_CHECK(t.numel() > 0, "there are no statistics of no values");
  const bool own = t.device().is_cpu() && t.scalar_type() == at::kFloat &&
                   t.layout() == at::kStrided && !t.is_neg() && t.is_non_overlapping_and_dense();
  if (!own) return general(t, out);
  // The values alone matter, not their order. Nothing is written to them without relu.
  observe_stage(const_cast<float*>(t.const_data_ptr<float>()), t.numel(), 1, false, nullptr,
                nullptr, out, {});
}

void observe_stage(float* raw, ptrdiff_t pixels, int channels, bool relu, const float* scale,
                   const float* offset, const at::Tensor& conv, const at::Tensor& norm) {
  const ptrdiff_t values = pixels * channels;
  const bool want_norm = norm.defined() && scale != nullptr;
  const int parts = values < 16384 ? 1 : threads();
  std::vector<ValueCounts> of_conv(parts), of_norm(parts);
  // Any value of the tensor keeps the sums of squares free of cancellation; a BatchNorm has a mean
  // of the order of its deviation or less.
  const float shift = raw[0];
  parallel(parts, [&](int i) {
    Observe o{};
    const ptrdiff_t first = pixels * i / parts;
    o.pixels = pixels * (i + 1) / parts - first, o.channels = channels;
    o.raw = raw + first * channels, o.relu = relu, o.shift = shift;
    o.scale = scale, o.offset = offset;
    if (conv.defined()) o.conv = &of_conv[i];
    if (want_norm) o.norm = &of_norm[i];
    kernels().observe(o);
  });
  if (conv.defined()) finish(of_conv, static_cast<double>(values), shift, row_of(conv));
  if (want_norm) finish(of_norm, static_cast<double>(values), 0, row_of(norm));
}

}  // namespace gotorch::kernels
