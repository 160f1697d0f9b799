#include "conv_block.h"

#include <ATen/TensorSubclassLikeUtils.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <atomic>
#include <limits>

#include "choice.h"
#include "kernels.h"
#include "packed_weights.h"
#include "recycle.h"
#include "reference.h"

namespace gotorch::kernels {

std::array<int64_t, 4> output_sizes(const at::Tensor& x, const Stage& s) {
  const auto out = [&](int i) {
    return (x.size(2 + i) + s.padding[i] + s.padding_end[i] - s.weight.size(2 + i)) / s.stride[i] +
           1;
  };
  return {x.size(0), s.weight.size(0), out(0), out(1)};
}

namespace {

std::atomic<Mode> current_mode{Mode::kAuto};

bool plain(const at::Tensor& t, at::ScalarType dtype = at::kFloat) {
  return !t.defined() ||
         (t.device().is_cpu() && t.scalar_type() == dtype && t.layout() == at::kStrided &&
          !t.is_neg() && !at::isTensorSubclassLike(t));
}

bool bytes(const at::Tensor& t) { return t.defined() && t.scalar_type() == at::kByte; }

// A tensor of one element that has the shape of the stage's output.
at::Tensor output_like(const at::Tensor& x, const Stage& s) {
  const auto sizes = output_sizes(x, s);
  return at::empty({1, 1, 1, 1}, at::TensorOptions().dtype(at::kFloat)).expand(sizes);
}

bool vector_of(const at::Tensor& t, int64_t size) {
  return !t.defined() || (t.dim() == 1 && t.size(0) == size);
}

}  // namespace

bool covered(const at::Tensor& x, const Stage& s) {
  if (!x.defined() || !s.weight.defined() || x.dim() != 4 || s.weight.dim() != 4) return false;
  if (!plain(x) && !plain(x, at::kByte)) return false;
  for (const at::Tensor* t :
       {&s.weight, &s.bias, &s.gamma, &s.beta, &s.running_mean, &s.running_var})
    if (!plain(*t)) return false;
  if (at::autocast::is_autocast_enabled(at::kCPU)) return false;
  // The tracer records libtorch's operations; of ours it would see nothing.
  if (c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::Tracer)) return false;
  if (s.dilation[0] != 1 || s.dilation[1] != 1) return false;
  if (s.stride[0] < 1 || s.stride[1] < 1) return false;
  for (const auto& p : {s.padding, s.padding_end})
    if (p[0] < 0 || p[1] < 0 || p[0] >= 1 << 20 || p[1] >= 1 << 20) return false;
  const int64_t k = s.weight.size(0);
  if (x.numel() == 0 || s.weight.numel() == 0) return false;
  if (depthwise(s) ? x.size(1) != k || s.weight.size(3) > kWidestDepthwise
                   : s.groups != 1 || x.size(1) != s.weight.size(1))
    return false;
  for (const at::Tensor* t : {&s.bias, &s.gamma, &s.beta, &s.running_mean, &s.running_var})
    if (!vector_of(*t, k)) return false;
  if (s.running_mean.defined() != s.running_var.defined()) return false;
  for (int i = 0; i < 2; i++)
    if (x.size(2 + i) + s.padding[i] + s.padding_end[i] < s.weight.size(2 + i)) return false;
  const auto sizes = output_sizes(x, s);
  const int64_t values = sizes[0] * sizes[2] * sizes[3];
  const bool batch = has_norm(s.order) && (s.training || !s.running_mean.defined());
  if (batch && values < 2) return false;
  // Shapes are ints inside; offsets are not.
  constexpr int64_t most = std::numeric_limits<int>::max() / 4;
  return values < most && x.size(2) < 1 << 20 && x.size(3) < 1 << 20 && s.weight.numel() < most;
}

at::Tensor conv_chain(const at::Tensor& x, const std::vector<Stage>& stages,
                      const at::Tensor& residual) {
  TORCH_CHECK(!stages.empty(), "conv_chain: expected at least one stage, found none");
  at::Tensor y = x;
  std::vector<Stage> run;  // consecutive stages for own kernels, not yet run
  at::Tensor shape = x;    // stands for the input of the next stage
  for (size_t i = 0; i < stages.size(); i++) {
    const bool last = i + 1 == stages.size();
    const Stage& s = stages[i];
    bool own = mode() != Mode::kLibtorch && covered(shape, s);
    if (own && last && residual.defined())
      own = plain(residual) && residual.sizes() == at::IntArrayRef(output_sizes(shape, s));
    if (own && mode() == Mode::kAuto) own = own_is_faster(shape, s);
    if (own) {
      run.push_back(s);
      shape = output_like(shape, s);
      if (!last) continue;
    }
    if (!run.empty()) y = own_chain(y, run, own && last ? residual : at::Tensor());
    run.clear();
    if (own) continue;
    if (bytes(y)) y = y.to(at::kFloat).div_(255);
    shape = y = reference_stage(y, s, last ? residual : at::Tensor());
  }
  return y;
}

void set_mode(Mode m) { current_mode = m; }
Mode mode() { return current_mode; }
void release_memory() {
  forget_packed_weights();
  release_recycled();
}
const char* instruction_set() { return kernels().name; }

}  // namespace gotorch::kernels
