#include "sync.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>

namespace gotorch::kernels {

namespace {

Sync sync;

// The sum over all processes; its gradient is the sum of theirs, as each process's result depends on it.
struct SumFunction : torch::autograd::Function<SumFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext*, const at::Tensor& x) {
    at::Tensor y = x.clone();
    sync.add_up(y);
    return y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list grads) {
    at::Tensor g = grads[0].contiguous().clone();
    sync.add_up(g);
    return {g};
  }
};

at::Tensor add_up(const at::Tensor& x) { return SumFunction::apply(x); }

at::Tensor for_channels(const at::Tensor& t, const at::Tensor& x) {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[1] = t.numel();
  return t.view(shape);
}

}  // namespace

void set_sync(Sync s) { sync = std::move(s); }

bool synchronised() { return static_cast<bool>(sync.add_up); }

void add_up(std::vector<double>* values) {
  if (!synchronised()) return;
  const auto n = static_cast<int64_t>(values->size());
  sync.add_up(at::from_blob(values->data(), {n}, at::kDouble));
}

double merge_statistics(double count, std::vector<double>* mean, std::vector<double>* variance) {
  if (!synchronised()) return count;
  // Each process's rows, means and variances in a place of their own, so that one message does: the
  // processes wait for each other in every one. Squares about the common mean keep their digits.
  const size_t k = mean->size(), width = 2 * k + 1;
  std::vector<double> places(sync.size * width);
  double* own = &places[sync.rank * width];
  std::copy(mean->begin(), mean->end(), own);
  std::copy(variance->begin(), variance->end(), own + k);
  own[2 * k] = count;
  add_up(&places);
  double all = 0;
  for (int r = 0; r < sync.size; r++) all += places[r * width + 2 * k];
  for (size_t i = 0; i < k; i++) {
    double sum = 0, squares = 0;
    for (int r = 0; r < sync.size; r++) sum += places[r * width + 2 * k] * places[r * width + i];
    (*mean)[i] = sum / all;
    for (int r = 0; r < sync.size; r++) {
      const double* place = &places[r * width];
      const double off = place[i] - (*mean)[i];
      squares += place[2 * k] * (place[k + i] + off * off);
    }
    (*variance)[i] = squares / all;
  }
  return all;
}

at::Tensor batch_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const at::Tensor& running_mean, const at::Tensor& running_var, bool training,
                      double momentum, double eps) {
  if (!training || !synchronised())
    return at::batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps,
                          at::globalContext().userEnabledCuDNN());
  std::vector<int64_t> others;
  for (int64_t d = 0; d < x.dim(); d++)
    if (d != 1) others.push_back(d);
  const double own = static_cast<double>(x.numel()) / static_cast<double>(x.size(1));
  at::Tensor rows = at::full({1}, own, x.options().requires_grad(false));
  sync.add_up(rows);
  const double all = rows.item<double>();
  const at::Tensor mean = add_up(x.sum(others)) / all;
  const at::Tensor centred = x - for_channels(mean, x);
  const at::Tensor variance = add_up((centred * centred).sum(others)) / all;
  at::Tensor y = centred * for_channels(at::rsqrt(variance + eps), x);
  if (weight.defined()) y = y * for_channels(weight, x);
  if (bias.defined()) y = y + for_channels(bias, x);
  c10::NoGradGuard no_grad;
  if (running_mean.defined()) running_mean.mul_(1 - momentum).add_(mean, momentum);
  if (running_var.defined())
    running_var.mul_(1 - momentum).add_(variance, momentum * all / (all - 1));
  return y;
}

}  // namespace gotorch::kernels
