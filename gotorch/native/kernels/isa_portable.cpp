// The kernels in the compiler's own vectors of four floats: SSE2 on x86-64, NEON on arm64.
#include "kernels.h"
#include "pass_data_gradient.h"
#include "pass_depthwise.h"
#include "pass_forward.h"
#include "pass_observe.h"
#include "pass_pack.h"
#include "pass_pointwise.h"
#include "pass_weight_gradient.h"
#include "pass_winograd.h"

namespace gotorch::kernels {
namespace {

struct Portable {
  static constexpr int W = 4;
  typedef float V __attribute__((vector_size(16)));
  typedef float Unaligned __attribute__((vector_size(16), aligned(4), may_alias));
  static V zero() { return V{0, 0, 0, 0}; }
  static V set(float x) { return V{x, x, x, x}; }
  static V load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static V load_bytes(const uint8_t* p) {
    return V{float(p[0]), float(p[1]), float(p[2]), float(p[3])};
  }
  static void store(float* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
  static V broadcast(const float* p) { return set(*p); }
  static V fma(V a, V b, V c) { return a * b + c; }
  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V mul(V a, V b) { return a * b; }
  // NaN stays NaN, as torch.relu has it.
  static V max0(V a) { return a <= zero() ? zero() : a; }
  static V min(V a, V cap) { return a >= cap ? cap : a; }
  static V keep_between(V d, V by, V cap) {
    const V low = by > zero() ? d : zero();
    return by < cap ? low : zero();
  }

  // For histogram.h.
  typedef unsigned U __attribute__((vector_size(16)));
  static U none() { return U{0, 0, 0, 0}; }
  static U hot(V v) {
    const auto in = (v >= zero()) & (v < set(32));
    const U bin = __builtin_convertvector(in ? v : zero(), U);
    return in ? U{1, 1, 1, 1} << bin : none();
  }
  static U hot_high(V v) {
    const V bin = v - set(32);
    return v <= set(40) ? hot(bin < set(7) ? bin : set(7)) : none();
  }
  static U carry(U* a, U b, U c) {
    const U sum = *a ^ b, carries = (*a & b) | (sum & c);
    *a = sum ^ c;
    return carries;
  }
  static bool any(U u) { return (u[0] | u[1] | u[2] | u[3]) != 0; }
  static int total(U u) { return static_cast<int>(u[0] + u[1] + u[2] + u[3]); }
  static int count(U u, int bit) { return total(u >> bit & U{1, 1, 1, 1}); }
  static U at_most(V v, V x, U n) { return n + (v <= x ? U{1, 1, 1, 1} : none()); }
  static V max(V a, V b) { return a > b ? a : b; }
};

int width(int) { return 8; }

}  // namespace

const KernelTable portable_kernels = {
    "portable",
    4,
    width,
    pack_input<Portable>,
    pack_gradient<Portable>,
    forward<Portable, 4, 2>,
    data_gradient<Portable, 4, 2>,
    weight_gradient<Portable, 4, 2>,
    normalise<Portable>,
    reduce_gradient<Portable>,
    observe<Portable>,
    depthwise_forward<Portable, 6>,
    depthwise_data_gradient<Portable, 6>,
    depthwise_weight_gradient<Portable>,
    winograd_input<Portable>,
    [](const WinogradForward& t, int) { winograd_forward<Portable, 4, 2>(t); },
    winograd_gradient<Portable>,
    [](const WinogradDataGradient& t, int) { winograd_data_gradient<Portable, 4, 2>(t); },
    winograd_weight_gradient<Portable, 4, 2>,
    winograd_pack_weight<Portable>,
    winograd_unpack_weight<Portable>,
};

}  // namespace gotorch::kernels
