// What follows a convolution, ReLU and BatchNorm in either order, as one differentiable operation:
// cuda/relu_norm.h says what is computed. Here are its autograd node and the twin of the CUDA kernels.
#include "relu_norm.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "cuda/relu_norm_value.h"
#include "cuda/table.h"
#include "kernels/reference.h"
#include "kernels/sync.h"

namespace gotorch {

namespace {

using cuda::ReluNormBackward;
using cuda::ReluNormForward;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const float* floats(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<float>() : nullptr;
}
float* results(const at::Tensor& t) { return t.defined() ? t.mutable_data_ptr<float>() : nullptr; }

template <typename T>
const T* values(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<T>() : nullptr;
}

template <typename T>
void twin_forward(const ReluNormForward& f) {
  const int64_t channels = f.x.size(1), rows = f.x.numel() / channels;
  const T *x = values<T>(f.x), *residual = values<T>(f.residual);
  const float *gamma = floats(f.gamma), *beta = floats(f.beta);
  float *running_mean = results(f.running_mean), *running_var = results(f.running_var);
  float *mean = results(f.mean), *inv_std = results(f.inv_std);
  T* y = f.y.mutable_data_ptr<T>();
  for (int64_t c = 0; c < channels; c++) {
    if (!f.batch) {
      mean[c] = running_mean[c];
      inv_std[c] = 1 / std::sqrt(running_var[c] + static_cast<float>(f.eps));
    } else {
      const double shift = cuda::relu(static_cast<float>(x[c]), f.relu_first);
      double sum = 0, square = 0;
      for (int64_t r = 0; r < rows; r++) {
        const double d = cuda::relu(static_cast<float>(x[r * channels + c]), f.relu_first) - shift;
        sum += d, square += d * d;
      }
      const double n = static_cast<double>(rows), off = sum / n;
      const double variance = std::max(square / n - off * off, 0.0);
      mean[c] = static_cast<float>(shift + off);
      inv_std[c] = static_cast<float>(1 / std::sqrt(variance + f.eps));
      if (running_mean != nullptr) {
        const float m = static_cast<float>(f.momentum);
        running_mean[c] += m * (mean[c] - running_mean[c]);
        running_var[c] += m * (static_cast<float>(variance * n / (n - 1)) - running_var[c]);
      }
    }
    const float scale = inv_std[c] * (gamma != nullptr ? gamma[c] : 1);
    const float offset = (beta != nullptr ? beta[c] : 0) - mean[c] * scale;
    for (int64_t at = c; at < rows * channels; at += channels)
      y[at] = static_cast<T>(cuda::normalised(
          static_cast<float>(x[at]), scale, offset,
          residual != nullptr ? static_cast<float>(residual[at]) : 0, f.relu_first, f.relu_last));
  }
}

template <typename T>
void twin_backward(const ReluNormBackward& b) {
  const int64_t channels = b.x.size(1), rows = b.x.numel() / channels;
  const T *g = values<T>(b.g), *x = values<T>(b.x), *y = values<T>(b.y);
  const float *gamma = floats(b.gamma), *mean = floats(b.mean), *inv_std = floats(b.inv_std);
  T* dx = b.dx.mutable_data_ptr<T>();
  T* dresidual = b.dresidual.defined() ? b.dresidual.mutable_data_ptr<T>() : nullptr;
  float *dgamma = results(b.dgamma), *dbeta = results(b.dbeta);
  const auto gradient = [&](int64_t at) {
    return cuda::masked(static_cast<float>(g[at]), b.relu_last ? static_cast<float>(y[at]) : 1,
                        b.relu_last);
  };
  for (int64_t c = 0; c < channels; c++) {
    double sum = 0, dot = 0;
    for (int64_t at = c; at < rows * channels; at += channels) {
      const float d = gradient(at);
      sum += d;
      dot += d * (cuda::relu(static_cast<float>(x[at]), b.relu_first) - mean[c]);
    }
    if (dgamma != nullptr) dgamma[c] = static_cast<float>(dot * inv_std[c]);
    if (dbeta != nullptr) dbeta[c] = static_cast<float>(sum);
    const cuda::Coefficients k =
        cuda::coefficients(sum, dot, static_cast<double>(rows), mean[c], inv_std[c],
                           gamma != nullptr ? gamma[c] : 1, b.batch);
    for (int64_t at = c; at < rows * channels; at += channels) {
      const float d = gradient(at);
      if (dresidual != nullptr) dresidual[at] = static_cast<T>(d);
      dx[at] = static_cast<T>(cuda::input_gradient(d, static_cast<float>(x[at]), k, b.relu_first));
    }
  }
}

// The kernels for a device, as those of the table are.
template <typename Job, void (*kFloat)(const Job&), void (*kBFloat16)(const Job&),
          void (*kHalf)(const Job&)>
void run(const Job& job, void (*cuda::ReluNormKernels::*kernel)(const Job&)) {
  if (job.x.is_cuda()) return (cuda::needed().relu_norm.*kernel)(job);
  switch (job.x.scalar_type()) {
    case at::kFloat:
      return kFloat(job);
    case at::kBFloat16:
      return kBFloat16(job);
    case at::kHalf:
      return kHalf(job);
    default:
      TORCH_CHECK(false, "ReLU and BatchNorm take Float, BFloat16 or Half, not ", job.x.toString());
  }
}

void run(const ReluNormForward& f) {
  run<ReluNormForward, twin_forward<float>, twin_forward<c10::BFloat16>, twin_forward<c10::Half>>(
      f, &cuda::ReluNormKernels::forward);
}

void run(const ReluNormBackward& b) {
  run<ReluNormBackward, twin_backward<float>, twin_backward<c10::BFloat16>,
      twin_backward<c10::Half>>(b, &cuda::ReluNormKernels::backward);
}

at::Tensor channels_last(const at::Tensor& t) {
  return t.defined() ? t.contiguous(at::MemoryFormat::ChannelsLast) : t;
}

at::Tensor vector_like(const at::Tensor& x) {
  return at::empty({x.size(1)}, x.options().dtype(at::kFloat).requires_grad(false));
}

using Maybe = std::optional<at::Tensor>;

struct ReluNorm : torch::autograd::Function<ReluNorm> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, const Maybe& residual,
                            const Maybe& gamma, const Maybe& beta, const kernels::Stage& s) {
    ReluNormForward f;
    f.x = channels_last(input), f.residual = channels_last(residual.value_or(at::Tensor()));
    f.gamma = gamma.value_or(at::Tensor()), f.beta = beta.value_or(at::Tensor());
    f.running_mean = s.running_mean, f.running_var = s.running_var;
    f.batch = s.training || !s.running_mean.defined();
    if (!s.training && f.batch) f.running_mean = f.running_var = at::Tensor();
    f.relu_first = kernels::relu_first(s.order), f.relu_last = kernels::relu_last(s.order);
    f.momentum = s.momentum, f.eps = s.eps;
    f.y = at::empty_like(f.x, at::MemoryFormat::ChannelsLast);
    f.mean = vector_like(f.x), f.inv_std = vector_like(f.x);
    run(f);
    ctx->save_for_backward({f.x, f.relu_last ? f.y : at::Tensor(), f.gamma, f.mean, f.inv_std});
    ctx->saved_data["relu_first"] = f.relu_first;
    ctx->saved_data["relu_last"] = f.relu_last;
    ctx->saved_data["batch"] = f.batch;
    ctx->saved_data["residual"] = f.residual.defined();
    ctx->saved_data["beta"] = f.beta.defined();
    return f.y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "ReLU and BatchNorm as one operation have no double backward; set the kernels to "
                "libtorch for create_graph");
    const variable_list saved = ctx->get_saved_variables();
    const bool residual = ctx->saved_data["residual"].toBool();
    ReluNormBackward b;
    b.x = saved[0], b.y = saved[1], b.gamma = saved[2], b.mean = saved[3], b.inv_std = saved[4];
    b.relu_first = ctx->saved_data["relu_first"].toBool();
    b.relu_last = ctx->saved_data["relu_last"].toBool();
    b.batch = ctx->saved_data["batch"].toBool();
    b.g = channels_last(grads[0].to(b.x.scalar_type()));
    b.dx = at::empty_like(b.x, at::MemoryFormat::ChannelsLast);
    if (residual && ctx->needs_input_grad(1))
      b.dresidual = at::empty_like(b.x, at::MemoryFormat::ChannelsLast);
    if (b.gamma.defined()) b.dgamma = vector_like(b.x);
    if (ctx->saved_data["beta"].toBool()) b.dbeta = vector_like(b.x);
    run(b);
    return {b.dx, b.dresidual, b.dgamma, b.dbeta, at::Tensor()};
  }
};

bool vector_of(const at::Tensor& t, const at::Tensor& x) {
  return !t.defined() || (t.scalar_type() == at::kFloat && t.device() == x.device() &&
                          t.dim() == 1 && t.numel() == x.size(1) && t.is_contiguous());
}

// nullptr, or what of the operands the operation does not take.
const char* unfit(const at::Tensor& x, const kernels::Stage& s, const at::Tensor& residual) {
  const auto type = x.scalar_type();
  if (x.dim() != 4 || x.numel() == 0) return "x is not (N, C, H, W)";
  if (type != at::kFloat && type != at::kBFloat16 && type != at::kHalf)
    return "x is not Float, BFloat16 or Half";
  if (!x.is_cpu() && !x.is_cuda()) return "x is neither on the CPU nor on CUDA";
  if (!kernels::has_norm(s.order)) return "the stage has no BatchNorm";
  if (s.order != kernels::Order::kConvNorm && !std::isinf(s.relu_cap)) return "the ReLU has a cap";
  for (const at::Tensor* t : {&s.gamma, &s.beta, &s.running_mean, &s.running_var})
    if (!vector_of(*t, x)) return "a vector is not Float (C) on x's device";
  if (s.running_mean.defined() != s.running_var.defined())
    return "one running statistic is missing";
  if (x.numel() == x.size(1) && (s.training || !s.running_mean.defined()))
    return "a channel has one value";
  if (residual.defined() && (residual.sizes() != x.sizes() || residual.device() != x.device() ||
                             residual.scalar_type() != type))
    return "the residual is not like x";
  return nullptr;
}

}  // namespace

bool fuses(const at::Tensor& x, const kernels::Stage& s, const at::Tensor& residual) {
  return x.is_cuda() && cuda::table() != nullptr && kernels::mode() != kernels::Mode::kLibtorch &&
         unfit(x, s, residual) == nullptr && !(s.training && kernels::synchronised()) &&
         !(s.observe_norm.defined() && (residual.defined() || kernels::relu_last(s.order))) &&
         !c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::Tracer);
}

at::Tensor relu_norm(const at::Tensor& x, const kernels::Stage& s, const at::Tensor& residual) {
  const char* wrong = unfit(x, s, residual);
  TORCH_CHECK(wrong == nullptr, "ReLU and BatchNorm as one operation: ", wrong);
  return ReluNorm::apply(x, Maybe(residual), Maybe(s.gamma), Maybe(s.beta), s);
}

}  // namespace gotorch
