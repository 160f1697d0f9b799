// What every source file of libcgotorch.so needs: borrowing and handing out tensors, and the
// one place where exceptions become messages.
#ifndef GOTORCH_NATIVE_SHIM_H_
#define GOTORCH_NATIVE_SHIM_H_

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "cgotorch.h"

namespace cgt {

// Borrows: the reference count goes up for as long as the returned tensor lives.
inline at::Tensor T(cgt_t p) {
  if (p == nullptr) return at::Tensor();
  return at::Tensor(c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>::reclaim_copy(
      static_cast<at::TensorImpl*>(p)));
}

inline std::optional<at::Tensor> O(cgt_t p) {
  if (p == nullptr) return std::nullopt;
  return T(p);
}

inline std::vector<at::Tensor> L(const cgt_t* p, int64_t n) {
  std::vector<at::Tensor> v;
  v.reserve(n);
  for (int64_t i = 0; i < n; i++) v.push_back(T(p[i]));
  return v;
}

// Gives the caller the one reference that t holds.
inline cgt_t give(at::Tensor&& t) {
  if (!t.defined()) return nullptr;
  return t.unsafeReleaseIntrusivePtr().release();
}

// The message of the exception being handled, allocated with malloc.
char* message() noexcept;

template <typename F>
inline cgt_rt one(F&& f) noexcept {
  cgt_rt r{nullptr, nullptr, 0};
  try {
    r.t = give(f());
  } catch (...) {
    r.err = message();
  }
  return r;
}

template <typename F>
inline cgt_rts several(F&& f) noexcept {
  cgt_rts r{{nullptr, nullptr, nullptr}, nullptr, 0};
  try {
    auto t = f();
    constexpr size_t n = std::tuple_size<decltype(t)>::value;
    static_assert(n <= 3, "cgt_rts holds three tensors");
    r.t[0] = give(std::move(std::get<0>(t)));
    if constexpr (n > 1) r.t[1] = give(std::move(std::get<1>(t)));
    if constexpr (n > 2) r.t[2] = give(std::move(std::get<2>(t)));
  } catch (...) {
    r.err = message();
  }
  return r;
}

template <typename F>
inline cgt_rl many(F&& f) noexcept {
  cgt_rl r{nullptr, 0, nullptr, 0};
  try {
    std::vector<at::Tensor> v = f();
    auto* list = static_cast<cgt_t*>(malloc(sizeof(cgt_t) * (v.empty() ? 1 : v.size())));
    if (list == nullptr) throw std::bad_alloc();
    for (size_t i = 0; i < v.size(); i++) list[i] = give(std::move(v[i]));
    r.list = list;
    r.n = static_cast<int64_t>(v.size());
  } catch (...) {
    r.err = message();
  }
  return r;
}

template <typename F>
inline cgt_ri integer(F&& f) noexcept {
  cgt_ri r{0, nullptr};
  try {
    r.v = f();
  } catch (...) {
    r.err = message();
  }
  return r;
}

template <typename F>
inline cgt_rd real(F&& f) noexcept {
  cgt_rd r{0, nullptr};
  try {
    r.v = f();
  } catch (...) {
    r.err = message();
  }
  return r;
}

// f returns a container of char; the copy ends with a zero that n does not count.
template <typename F>
inline cgt_rs text(F&& f) noexcept {
  cgt_rs r{nullptr, 0, nullptr};
  try {
    const auto s = f();
    r.v = static_cast<char*>(malloc(s.size() + 1));
    if (r.v == nullptr) throw std::bad_alloc();
    memcpy(r.v, s.data(), s.size());
    r.v[s.size()] = 0;
    r.n = static_cast<int64_t>(s.size());
  } catch (...) {
    r.err = message();
  }
  return r;
}

template <typename F>
inline cgt_rp pointer(F&& f) noexcept {
  cgt_rp r{nullptr, nullptr};
  try {
    r.v = f();
  } catch (...) {
    r.err = message();
  }
  return r;
}

template <typename F>
inline char* nothing(F&& f) noexcept {
  try {
    f();
    return nullptr;
  } catch (...) {
    return message();
  }
}

// Helpers for the expressions of ops.def.

// An empty list of dimensions means all of them.
inline at::OptionalIntArrayRef dims_or_all(at::IntArrayRef d) {
  if (d.empty()) return std::nullopt;
  return d;
}

inline std::optional<int64_t> first_or_none(at::IntArrayRef d) {
  if (d.empty()) return std::nullopt;
  return d[0];
}

// 0 none, 1 mean, 2 sum, by PyTorch's names.
int64_t reduction(const std::string& name);

// Whole numbers stay integers next to an integer tensor, so the result does, too.
inline at::Scalar scalar(const at::Tensor& a, double v) {
  if (at::isIntegralType(a.scalar_type(), /*includeBool=*/true) && v == std::trunc(v))
    return at::Scalar(static_cast<int64_t>(v));
  return at::Scalar(v);
}

// Refuses numbers that are no dtype, at which libtorch aborts.
inline at::ScalarType dtype(int8_t d) {
  TORCH_CHECK(d >= 0 && d <= static_cast<int8_t>(at::kBFloat16), static_cast<int>(d),
              " is no dtype");
  return static_cast<at::ScalarType>(d);
}

inline at::TensorOptions floats(bool requires_grad) {
  return at::TensorOptions().dtype(at::kFloat).requires_grad(requires_grad);
}

inline at::Device device(int8_t type, int16_t index) {
  return at::Device(static_cast<at::DeviceType>(type), static_cast<at::DeviceIndex>(index));
}

// The names of torch.nn.functional.grid_sample.
int64_t interpolation(const std::string& mode);
int64_t padding(const std::string& mode);

at::Tensor lp_pool2d(const at::Tensor& x, double p, at::IntArrayRef kernel, at::IntArrayRef stride,
                     bool ceil);

c10::List<std::optional<at::Tensor>> indices_of(const std::vector<at::Tensor>& indices);

at::Tensor sigmoid_focal_loss(const at::Tensor& x, const at::Tensor& y, double alpha, double gamma,
                              const std::string& reduction);

// at::batch_norm; in training, over the batches of all processes where kernels/sync.h was asked to.
at::Tensor batch_norm(const at::Tensor& x, const std::optional<at::Tensor>& weight,
                      const std::optional<at::Tensor>& bias,
                      const std::optional<at::Tensor>& running_mean,
                      const std::optional<at::Tensor>& running_var, bool training, double momentum,
                      double eps);

// at::arange divides by zero in an integer type when the step is a fraction.
at::Tensor arange(double begin, double end, double step, at::ScalarType dtype);

at::Tensor element(const at::Tensor& a, at::IntArrayRef index);

}  // namespace cgt

#endif  // GOTORCH_NATIVE_SHIM_H_
