// Gradients and the modes that belong to the calling thread.

#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <new>

#include "shim.h"

using namespace cgt;  // NOLINT

// libtorch keeps the weights it has cast, whatever the dtype was.
static void set_autocast_dtype(at::DeviceType dev, at::ScalarType d) {
  if (at::autocast::get_autocast_dtype(dev) != d) at::autocast::clear_cache();
  at::autocast::set_autocast_dtype(dev, d);
}

static std::vector<at::Tensor> gradients(cgt_t* params, int64_t n) {
  std::vector<at::Tensor> list;
  for (const at::Tensor& p : L(params, n))
    if (p.grad().defined()) list.push_back(p.grad());
  return list;
}

extern "C" {

char* cgt_backward(cgt_t p, cgt_t gradient, int8_t retain_graph, int8_t create_graph) {
  return nothing([&] {
    const at::Tensor t = T(p), g = T(gradient);
    torch::autograd::backward({t},
                              g.defined() ? std::vector<at::Tensor>{g} : std::vector<at::Tensor>{},
                              static_cast<bool>(retain_graph || create_graph), create_graph);
  });
}

cgt_rl cgt_gradients(cgt_t* outputs, int64_t n_outputs, cgt_t* inputs, int64_t n_inputs,
                     cgt_t* grad_outputs, int64_t n_grad_outputs, int8_t create_graph) {
  return many([&] {
    return torch::autograd::grad(L(outputs, n_outputs), L(inputs, n_inputs),
                                 L(grad_outputs, n_grad_outputs), std::nullopt, create_graph,
                                 /*allow_unused=*/true);
  });
}

cgt_rt cgt_grad(cgt_t p) {
  return one([&] { return at::Tensor(T(p).grad()); });
}

char* cgt_set_grad(cgt_t p, cgt_t g) {
  return nothing([&] {
    const at::Tensor t = T(p), grad = T(g);
    if (grad.defined()) {
      TORCH_CHECK(grad.sizes() == t.sizes(), "the gradient has the shape ", grad.sizes(),
                  ", its tensor ", t.sizes());
      TORCH_CHECK(grad.scalar_type() == t.scalar_type() && grad.device() == t.device(),
                  "the gradient is ", grad.toString(), ", its tensor ", t.toString());
    }
    t.mutable_grad() = grad;
  });
}

char* cgt_set_requires_grad(cgt_t p, int8_t on) {
  return nothing([&] { T(p).set_requires_grad(on); });
}

int8_t cgt_grad_mode(int8_t on) {
  const bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(on);
  return before;
}

void* cgt_inference_enter(void) { return new (std::nothrow) c10::InferenceMode(true); }

void cgt_inference_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }

// The state before is the number 2*dtype + (1 when it was on); cgt_autocast_leave goes back to it.
cgt_ri cgt_autocast_enter(int8_t device_type, int8_t d, int8_t on) {
  return integer([&]() -> int64_t {
    const auto dev = static_cast<at::DeviceType>(device_type);
    const int64_t before = 2 * static_cast<int64_t>(at::autocast::get_autocast_dtype(dev)) +
                           static_cast<int64_t>(at::autocast::is_autocast_enabled(dev));
    if (on) set_autocast_dtype(dev, dtype(d));
    at::autocast::set_autocast_enabled(dev, on);
    at::autocast::increment_nesting();
    return before;
  });
}

void cgt_autocast_leave(int8_t device_type, int64_t before) {
  try {
    const auto dev = static_cast<at::DeviceType>(device_type);
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    set_autocast_dtype(dev, static_cast<at::ScalarType>(before / 2));
    at::autocast::set_autocast_enabled(dev, before % 2 != 0);
  } catch (...) {  // cgt_autocast_enter made the same calls
  }
}

// torch.nn.utils.clip_grad_norm_: returns the norm before clipping.
cgt_rd cgt_clip_grad_norm(cgt_t* params, int64_t n, double max_norm, double norm_type) {
  return real([&]() -> double {
    c10::NoGradGuard no_grad;
    std::vector<at::Tensor> norms, grads;
    for (const at::Tensor& p : L(params, n)) {
      if (!p.grad().defined()) continue;
      grads.push_back(p.grad());
      norms.push_back(at::linalg_vector_norm(p.grad(), norm_type).to(at::kDouble).cpu());
    }
    if (grads.empty()) return 0;
    const double total = at::linalg_vector_norm(at::stack(norms), norm_type).item<double>();
    const double scale = max_norm / (total + 1e-6);
    if (scale < 1)
      for (at::Tensor& g : grads) g.mul_(scale);
    return total;
  });
}

cgt_rt cgt_limit_grad_norm(cgt_t* params, int64_t n, double max_norm, double norm_type) {
  return one([&] {
    c10::NoGradGuard no_grad;
    const std::vector<at::Tensor> grads = gradients(params, n);
    TORCH_CHECK(!grads.empty(), "no parameter has a gradient");
    const at::Tensor total =
        at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, norm_type)), norm_type);
    const at::Tensor scale = at::clamp_max(max_norm / (total + 1e-6), 1.0);
    at::_foreach_mul_(grads, scale);
    return total;
  });
}

char* cgt_unscale_grads(cgt_t* params, int64_t n, cgt_t inverse, cgt_t found) {
  return nothing([&] {
    c10::NoGradGuard no_grad;
    const std::vector<at::Tensor> grads = gradients(params, n);
    at::Tensor f = T(found);
    if (!grads.empty()) at::_amp_foreach_non_finite_check_and_unscale_(grads, f, T(inverse));
  });
}

char* cgt_scale_update(cgt_t scale, cgt_t tracker, cgt_t found, double growth, double backoff,
                       int64_t interval) {
  return nothing([&] {
    c10::NoGradGuard no_grad;
    at::Tensor s = T(scale), t = T(tracker);
    at::_amp_update_scale_(s, t, T(found), growth, backoff, interval);
  });
}

char* cgt_clip_grad_value(cgt_t* params, int64_t n, double value) {
  return nothing([&] {
    c10::NoGradGuard no_grad;
    for (const at::Tensor& p : L(params, n))
      if (p.grad().defined()) p.mutable_grad().clamp_(-value, value);
  });
}

}  // extern "C"
