// What the expressions of ops.def need beyond ATen's own functions.

#include "kernels/sync.h"
#include "shim.h"

namespace cgt {

int64_t reduction(const std::string& name) {
  if (name == "none") return at::Reduction::None;
  if (name == "mean") return at::Reduction::Mean;
  if (name == "sum") return at::Reduction::Sum;
  TORCH_CHECK(false, name, " is not a valid value for reduction: none, mean or sum");
}

at::Tensor batch_norm(const at::Tensor& x, const std::optional<at::Tensor>& weight,
                      const std::optional<at::Tensor>& bias,
                      const std::optional<at::Tensor>& running_mean,
                      const std::optional<at::Tensor>& running_var, bool training, double momentum,
                      double eps) {
  const at::Tensor none;
  return gotorch::kernels::batch_norm(x, weight.value_or(none), bias.value_or(none),
                                      running_mean.value_or(none), running_var.value_or(none),
                                      training, momentum, eps);
}

int64_t interpolation(const std::string& mode) {
  if (mode == "bilinear") return 0;
  if (mode == "nearest") return 1;
  if (mode == "bicubic") return 2;
  TORCH_CHECK(false, "mode must be bilinear, nearest or bicubic, it is ", mode);
}

int64_t padding(const std::string& mode) {
  if (mode == "zeros") return 0;
  if (mode == "border") return 1;
  if (mode == "reflection") return 2;
  TORCH_CHECK(false, "padding mode must be zeros, border or reflection, it is ", mode);
}

// torch.nn.functional.lp_pool2d
at::Tensor lp_pool2d(const at::Tensor& x, double p, at::IntArrayRef kernel, at::IntArrayRef stride,
                     bool ceil) {
  TORCH_CHECK(kernel.size() == 2, "the kernel size must hold two numbers");
  const at::Tensor mean = at::avg_pool2d(at::pow(x, p), kernel, stride, 0, ceil);
  const double window = static_cast<double>(kernel[0] * kernel[1]);
  return at::pow(at::sign(mean) * at::relu(at::abs(mean)) * window, 1 / p);
}

c10::List<std::optional<at::Tensor>> indices_of(const std::vector<at::Tensor>& indices) {
  c10::List<std::optional<at::Tensor>> list;
  for (const at::Tensor& t : indices) list.push_back(t);
  return list;
}

// torchvision.ops.sigmoid_focal_loss
at::Tensor sigmoid_focal_loss(const at::Tensor& x, const at::Tensor& y, double alpha, double gamma,
                              const std::string& name) {
  const int64_t how = reduction(name);
  const at::Tensor p = at::sigmoid(x);
  const at::Tensor wrong = 1 - (p * y + (1 - p) * (1 - y));
  at::Tensor loss = at::binary_cross_entropy_with_logits(x, y, {}, {}, at::Reduction::None);
  loss = loss * at::pow(wrong, gamma);
  if (alpha >= 0) loss = (alpha * y + (1 - alpha) * (1 - y)) * loss;
  if (how == at::Reduction::Mean) return loss.mean();
  if (how == at::Reduction::Sum) return loss.sum();
  return loss;
}

at::Tensor arange(double begin, double end, double step, at::ScalarType dtype) {
  if (at::isIntegralType(dtype, /*includeBool=*/true))
    for (const double v : {begin, end, step})
      TORCH_CHECK(v == std::trunc(v) && std::abs(v) < 9e15,
                  "an integer type needs whole numbers, not ", v);
  return at::arange(begin, end, step, dtype);
}

at::Tensor element(const at::Tensor& a, at::IntArrayRef index) {
  TORCH_CHECK(static_cast<int64_t>(index.size()) == a.dim(), "the index has ", index.size(),
              " numbers, the tensor ", a.dim(), " dimensions");
  at::Tensor t = a;
  for (const int64_t i : index) t = t.select(0, i);
  return t;
}

}  // namespace cgt
