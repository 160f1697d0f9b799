// The kernels with AVX2 and FMA. Only this file's own templates are compiled for that set: every
// header with ordinary functions comes before the pragma, and no standard library template after it.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

#pragma GCC target("avx2,fma")

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

struct Avx2 {
  static constexpr int W = 8;
  using V = __m256;
  static GOTORCH_INLINE V zero() { return _mm256_setzero_ps(); }
  static GOTORCH_INLINE V set(float x) { return _mm256_set1_ps(x); }
  static GOTORCH_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
  static GOTORCH_INLINE V load_bytes(const uint8_t* p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static GOTORCH_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
  static GOTORCH_INLINE V broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static GOTORCH_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static GOTORCH_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  static GOTORCH_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static GOTORCH_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  // max returns its second operand when one is NaN: NaN stays NaN, as torch.relu has it.
  static GOTORCH_INLINE V max0(V a) { return _mm256_max_ps(zero(), a); }
  static GOTORCH_INLINE V min(V a, V cap) { return _mm256_min_ps(cap, a); }
  static GOTORCH_INLINE V keep_between(V d, V by, V cap) {
    return _mm256_and_ps(d, _mm256_and_ps(_mm256_cmp_ps(by, zero(), _CMP_GT_OQ),
                                          _mm256_cmp_ps(by, cap, _CMP_LT_OQ)));
  }

  // For histogram.h.
  using U = __m256i;
  static GOTORCH_INLINE U none() { return _mm256_setzero_si256(); }
  // What does not fit an int becomes one with the highest bit set, and a shift by so much gives 0.
  static GOTORCH_INLINE U hot(V v) {
    return _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_cvttps_epi32(_mm256_floor_ps(v)));
  }
  static GOTORCH_INLINE U hot_high(V v) {
    const V in = _mm256_cmp_ps(v, set(40), _CMP_LE_OQ);
    return _mm256_and_si256(_mm256_castps_si256(in), hot(_mm256_min_ps(sub(v, set(32)), set(7))));
  }
  static GOTORCH_INLINE U carry(U* a, U b, U c) {
    const U sum = _mm256_xor_si256(*a, b);
    const U carries = _mm256_or_si256(_mm256_and_si256(*a, b), _mm256_and_si256(sum, c));
    *a = _mm256_xor_si256(sum, c);
    return carries;
  }
  static GOTORCH_INLINE bool any(U u) { return !_mm256_testz_si256(u, u); }
  static GOTORCH_INLINE int count(U u, int bit) {
    const __m256 highest = _mm256_castsi256_ps(_mm256_slli_epi32(u, 31 - bit));
    return __builtin_popcount(_mm256_movemask_ps(highest));
  }
  static GOTORCH_INLINE int total(U u) {
    int t[W], sum = 0;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(t), u);
    for (int x : t) sum += x;
    return sum;
  }
  static GOTORCH_INLINE U at_most(V v, V x, U n) {
    return _mm256_sub_epi32(n, _mm256_castps_si256(_mm256_cmp_ps(v, x, _CMP_LE_OQ)));
  }
  static GOTORCH_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
};

// 16 registers: 6 pixels x 2 vectors, 2 weights, 1 broadcast; or, for few channels, 10 x 1.
int width(int channels) { return channels <= 8 ? 8 : 16; }

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
    8,
    width,
    pack_input<Avx2>,
    pack_gradient<Avx2>,
    forward_any,
    data_gradient_any,
    weight_gradient_any,
    normalise<Avx2>,
    reduce_gradient<Avx2>,
    observe<Avx2>,
    depthwise_forward<Avx2, 6>,
    depthwise_data_gradient<Avx2, 6>,
    depthwise_weight_gradient<Avx2>,
    winograd_input<Avx2>,
    [](const WinogradForward& t, int) { winograd_forward<Avx2, 6, 2>(t); },
    winograd_gradient<Avx2>,
    [](const WinogradDataGradient& t, int) { winograd_data_gradient<Avx2, 6, 2>(t); },
    winograd_weight_gradient<Avx2, 6, 2>,
    winograd_pack_weight<Avx2>,
    winograd_unpack_weight<Avx2>,
};

}  // namespace gotorch::kernels
#endif
