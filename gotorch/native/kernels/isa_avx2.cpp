// The kernels with AVX2 and FMA. Only this file's own templates are compiled for that set: every
// header with ordinary functions comes before the pragma, and no standard library template after it.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#pragma GCC target("avx2,fma")

#include "pass_data_gradient.h"
#include "pass_forward.h"
#include "pass_observe.h"
#include "pass_pack.h"
#include "pass_pointwise.h"
#include "pass_weight_gradient.h"

namespace gotorch::kernels {
namespace {

struct Avx2 {
  static constexpr int W = 8;
  using V = __m256;
  static GOTORCH_INLINE V zero() { return _mm256_setzero_ps(); }
  static GOTORCH_INLINE V set(float x) { return _mm256_set1_ps(x); }
  static GOTORCH_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
  static GOTORCH_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
  static GOTORCH_INLINE V broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static GOTORCH_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static GOTORCH_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  static GOTORCH_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static GOTORCH_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  // max returns its second operand when one is NaN: NaN stays NaN, as torch.relu has it.
  static GOTORCH_INLINE V max0(V a) { return _mm256_max_ps(zero(), a); }
  static GOTORCH_INLINE V keep_positive(V d, V by) {
    return _mm256_and_ps(d, _mm256_cmp_ps(by, zero(), _CMP_GT_OQ));
  }
};

// 16 registers: 6 pixels x 2 vectors, 2 weights, 1 broadcast; or, for few channels, 10 x 1.
int width(int channels) { return channels <= 8 ? 8 : 16; }
int tiles(const ConvShape& q, int width) { return q.r * tiling(q, width == 8 ? 12 : 6).per_row; }

void forward_any(const Forward& t) {
  t.width == 8 ? forward<Avx2, 10, 1>(t) : forward<Avx2, 6, 2>(t);
}
void data_gradient_any(const DataGradient& t) {
  t.width_c == 8 ? data_gradient<Avx2, 10, 1>(t) : data_gradient<Avx2, 6, 2>(t);
}
void weight_gradient_any(const WeightGradient& t) {
  t.width == 8 ? weight_gradient<Avx2, 12, 1>(t) : weight_gradient<Avx2, 6, 2>(t);
}

}  // namespace

const KernelTable avx2_kernels = {
    "avx2",
    width,
    tiles,
    pack_input<Avx2>,
    pack_gradient<Avx2>,
    forward_any,
    data_gradient_any,
    weight_gradient_any,
    normalise<Avx2>,
    reduce_gradient<Avx2>,
    observe<Avx2>,
};

}  // namespace gotorch::kernels
#endif
