#include "activation.h"

#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "moments.h"
#include "parallel.h"

namespace gotorch::kernels {

namespace {

double* row_of(const at::Tensor& out) {
  TORCH_CHECK(out.dim() == 1 && out.size(0) == kStatistics && out.scalar_type() == at::kDouble &&
                  out.is_contiguous(),
              "a row of activation statistics is a tensor of ", kStatistics, " doubles");
  return out.mutable_data_ptr<double>();
}

// Parts of the values on all threads; task gets its part's first value, their number and its counts.
template <class Task>
void observe_parts(ptrdiff_t values, int unit, std::vector<ValueCounts>* parts, Task task) {
  const int count = values < 16384 ? 1 : threads();
  parts->assign(count, {});
  parallel(count, [&](int i) {
    const ptrdiff_t first = values / unit * i / count * unit;
    const ptrdiff_t last = values / unit * (i + 1) / count * unit;
    if (last > first) task(first, last - first, &(*parts)[i]);
  });
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
  std::vector<ValueCounts> parts;
  observe_values(const_cast<float*>(t.const_data_ptr<float>()), t.numel(), nullptr, &parts);
  write_statistics(parts, out);
}

void write_statistics(const std::vector<ValueCounts>& parts, const at::Tensor& out) {
  double* row = row_of(out);
  Moments all;
  double near_zero = 0;
  std::fill(row, row + kStatistics, 0.0);
  for (const ValueCounts& p : parts) {
    if (p.values == 0) continue;
    const double count = static_cast<double>(p.values), off = p.sum / count;
    all.join({count, p.shift + off, std::max(0.0, p.square - p.sum * off)});
    near_zero += static_cast<double>(p.near_zero);
    for (int b = 0; b < kBins; b++) row[3 + b] += static_cast<double>(p.bins[b]);
  }
  row[0] = all.mean;
  row[1] = all.count > 1 ? std::sqrt(all.squares / (all.count - 1))
                         : std::numeric_limits<double>::quiet_NaN();
  row[2] = near_zero / all.count;
}

// Any value of a part keeps its sums of squares free of cancellation.
void observe_values(float* raw, ptrdiff_t values, const float* cap,
                    std::vector<ValueCounts>* parts) {
  observe_parts(values, 1, parts, [&](ptrdiff_t first, ptrdiff_t count, ValueCounts* counts) {
    counts->shift = raw[first];
    kernels().observe(
        {raw + first, count, cap != nullptr, cap ? *cap : 0, 1, nullptr, nullptr, counts});
  });
}

// A BatchNorm has a mean of the order of its deviation or less: its sums need no shift.
void observe_norm(float* raw, ptrdiff_t pixels, int channels, const float* scale,
                  const float* offset, std::vector<ValueCounts>* parts) {
  std::vector<float> scale4(channels + kObserved), offset4(channels + kObserved);
  for (int i = 0; i < channels + kObserved; i++)
    scale4[i] = 4 * scale[i % channels], offset4[i] = 4 * offset[i % channels];
  observe_parts(pixels * channels, channels, parts,
                [&](ptrdiff_t first, ptrdiff_t count, ValueCounts* counts) {
                  kernels().observe({raw + first, count, false, 0, channels, scale4.data(),
                                     offset4.data(), counts});
                });
}

void observe_block(const Forward& t, ValueCounts* counts) {
  const ConvShape& q = t.shape;
  const Block& b = t.block;
  const ptrdiff_t row = static_cast<ptrdiff_t>(q.ow()) * q.k, image = q.oh() * row;
  float* first = t.out + b.n0 * image + b.r0 * row;
  if (counts->values == 0) counts->shift = *first;
  // Whole images lie one behind the other.
  const bool whole = b.rows() == q.oh();
  const ptrdiff_t values = whole ? b.images() * image : b.rows() * row;
  for (int i = 0; i < (whole ? 1 : b.images()); i++)
    kernels().observe({first + i * image, values, t.relu, t.cap, 1, nullptr, nullptr, counts});
}

}  // namespace gotorch::kernels
