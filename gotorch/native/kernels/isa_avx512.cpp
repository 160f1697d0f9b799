// The kernels with AVX-512 (F, VL, DQ, BW): 32 registers, and broadcasts that ride on the
// multiply-add. See isa_avx2.cpp about the order of includes.
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels.h"

// gcc 12 takes the undefined operand inside its own _mm512_max_ps for an uninitialised variable.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")

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

struct Avx512 {
  static constexpr int W = 16;
  using V = __m512;
  static GOTORCH_INLINE V zero() { return _mm512_setzero_ps(); }
  static GOTORCH_INLINE V set(float x) { return _mm512_set1_ps(x); }
  static GOTORCH_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
  static GOTORCH_INLINE V load_bytes(const uint8_t* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static GOTORCH_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
  static GOTORCH_INLINE V broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static GOTORCH_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static GOTORCH_INLINE V add(V a, V b) { return _mm512_add_ps(a, b); }
  static GOTORCH_INLINE V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static GOTORCH_INLINE V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static GOTORCH_INLINE V max0(V a) { return _mm512_max_ps(zero(), a); }
  static GOTORCH_INLINE V min(V a, V cap) { return _mm512_min_ps(cap, a); }
  static GOTORCH_INLINE V keep_between(V d, V by, V cap) {
    const __mmask16 above = _mm512_cmp_ps_mask(by, zero(), _CMP_GT_OQ);
    return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, by, cap, _CMP_LT_OQ), d);
  }

  // For histogram.h.
  using U = __m512i;
  static GOTORCH_INLINE U none() { return _mm512_setzero_si512(); }
  // What does not fit an int becomes one with the highest bit set, and a shift by so much gives 0.
  static GOTORCH_INLINE U hot(V v) {
    return _mm512_sllv_epi32(
        _mm512_set1_epi32(1),
        _mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
  }
  static GOTORCH_INLINE U hot_high(V v) {
    const __mmask16 in = _mm512_cmp_ps_mask(v, set(40), _CMP_LE_OQ);
    return _mm512_maskz_mov_epi32(in, hot(_mm512_min_ps(sub(v, set(32)), set(7))));
  }
  static GOTORCH_INLINE U carry(U* a, U b, U c) {
    const U carries = _mm512_ternarylogic_epi32(*a, b, c, 0xe8);
    *a = _mm512_ternarylogic_epi32(*a, b, c, 0x96);
    return carries;
  }
  static GOTORCH_INLINE bool any(U u) { return _mm512_test_epi32_mask(u, u) != 0; }
  static GOTORCH_INLINE int count(U u, int bit) {
    return __builtin_popcount(_mm512_test_epi32_mask(u, _mm512_set1_epi32(1 << bit)));
  }
  static GOTORCH_INLINE int total(U u) {
    int t[W], sum = 0;
    _mm512_storeu_si512(t, u);
    for (int x : t) sum += x;
    return sum;
  }
  static GOTORCH_INLINE U at_most(V v, V x, U n) {
    return _mm512_mask_sub_epi32(n, _mm512_cmp_ps_mask(v, x, _CMP_LE_OQ), n, _mm512_set1_epi32(-1));
  }
  static GOTORCH_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
};

// Vectors of eight for layers with up to eight channels.
struct Avx512Half {
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
  static GOTORCH_INLINE V broadcast(const float* p) { return _mm256_set1_ps(*p); }
  static GOTORCH_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static GOTORCH_INLINE V add(V a, V b) { return _mm256_add_ps(a, b); }
  static GOTORCH_INLINE V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static GOTORCH_INLINE V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static GOTORCH_INLINE V max0(V a) { return _mm256_max_ps(zero(), a); }
  static GOTORCH_INLINE V min(V a, V cap) { return _mm256_min_ps(cap, a); }
  static GOTORCH_INLINE V keep_between(V d, V by, V cap) {
    const __mmask8 above = _mm256_cmp_ps_mask(by, zero(), _CMP_GT_OQ);
    return _mm256_maskz_mov_ps(_mm256_mask_cmp_ps_mask(above, by, cap, _CMP_LT_OQ), d);
  }
};

// 8, 16 or 32 channels in a panel: the widest that adds no more padding than 16 would.
int width(int channels) {
  return channels <= 8 ? 8 : padded(channels, 16) < padded(channels, 32) ? 16 : 32;
}

void forward_any(const Forward& t) {
  t.width == 8    ? forward<Avx512Half, 10, 1>(t)
  : t.width == 16 ? forward<Avx512, 12, 1>(t)
                  : forward<Avx512, 12, 2>(t);
}
void data_gradient_any(const DataGradient& t) {
  t.width_c == 8    ? data_gradient<Avx512Half, 10, 1>(t)
  : t.width_c == 16 ? data_gradient<Avx512, 12, 1>(t)
                    : data_gradient<Avx512, 12, 2>(t);
}
void weight_gradient_any(const WeightGradient& t) {
  t.width == 8    ? weight_gradient<Avx512Half, 16, 1>(t)
  : t.width == 16 ? weight_gradient<Avx512, 12, 1>(t)
                  : weight_gradient<Avx512, 12, 2>(t);
}
void winograd_forward_any(const WinogradForward& t, int width) {
  width == 16 ? winograd_forward<Avx512, 12, 1>(t) : winograd_forward<Avx512, 12, 2>(t);
}
void winograd_data_gradient_any(const WinogradDataGradient& t, int width) {
  width == 16 ? winograd_data_gradient<Avx512, 12, 1>(t) : winograd_data_gradient<Avx512, 12, 2>(t);
}
void winograd_weight_gradient_any(const WinogradWeightGradient& t) {
  t.width == 16 ? winograd_weight_gradient<Avx512, 12, 1>(t)
                : winograd_weight_gradient<Avx512, 12, 2>(t);
}
// Rows of few channels do not fill a vector of sixteen.
void pack_gradient_any(const PackGradient& t) {
  t.width == 8 ? pack_gradient<Avx512Half>(t) : pack_gradient<Avx512>(t);
}

}  // namespace

const KernelTable avx512_kernels = {
    "avx512",
    16,
    width,
    pack_input<Avx512>,
    pack_gradient_any,
    forward_any,
    data_gradient_any,
    weight_gradient_any,
    normalise<Avx512>,
    reduce_gradient<Avx512>,
    observe<Avx512>,
    depthwise_forward<Avx512, 8>,
    depthwise_data_gradient<Avx512, 8>,
    depthwise_weight_gradient<Avx512>,
    winograd_input<Avx512>,
    winograd_forward_any,
    winograd_gradient<Avx512>,
    winograd_data_gradient_any,
    winograd_weight_gradient_any,
    winograd_pack_weight<Avx512>,
    winograd_unpack_weight<Avx512>,
};

}  // namespace gotorch::kernels
#endif
