// The quick way of a row, for processors with AVX-512: sampling, lighting and normalising in one pass
// whose pixels stay whole, RGBX, four to a vector.
#if defined(__x86_64__)

#include <immintrin.h>

#include "quick.h"

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,fma")))

typedef struct {
  __m512i base[4], slope[4];
} tables;

// What a row needs in registers of the view: 16 pixels at a time.
typedef struct {
  __m512 m0, m3, m6, u0, v0, w0;
  __m512 low_x, low_y, span_x, span_y, inv_x, inv_y, last_x, last_y;
  __m512i cell_x, cell_y, stride;
  int inside;
} mapping;

// Where 16 pixels lie: bytes from the view's base, and the weights of their four texels, two to a dword.
typedef struct {
  __m512i offset, top, bottom;
} spots;

AVX512 static inline mapping map_row(const orr_view *v, int row) {
  const float *m = v->m;
  mapping p;
  p.m0 = _mm512_set1_ps(m[0]), p.m3 = _mm512_set1_ps(m[3]), p.m6 = _mm512_set1_ps(m[6]);
  p.u0 = _mm512_set1_ps(m[1] * row + m[2]), p.v0 = _mm512_set1_ps(m[4] * row + m[5]);
  p.w0 = _mm512_set1_ps(m[7] * row + m[8]);
  p.low_x = _mm512_set1_ps(v->low_x), p.low_y = _mm512_set1_ps(v->low_y);
  p.span_x = _mm512_set1_ps(v->span_x), p.span_y = _mm512_set1_ps(v->span_y);
  p.inv_x = _mm512_set1_ps(v->span_x > 0 ? 1.0f / v->span_x : 0.0f);
  p.inv_y = _mm512_set1_ps(v->span_y > 0 ? 1.0f / v->span_y : 0.0f);
  p.last_x = _mm512_set1_ps((float)(v->w - 1)), p.last_y = _mm512_set1_ps((float)(v->h - 1));
  p.cell_x = _mm512_set1_epi32(v->w > 1 ? v->w - 2 : 0);
  p.cell_y = _mm512_set1_epi32(v->h > 1 ? v->h - 2 : 0);
  p.stride = _mm512_set1_epi32((int)v->stride);
  p.inside = v->inside;
  return p;
}

AVX512 static inline __m512 fold(__m512 x, __m512 span, __m512 inverse) {
  x = _mm512_abs_ps(x);
  __m512 n =
      _mm512_roundscale_ps(_mm512_mul_ps(x, inverse), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  x = _mm512_fnmadd_ps(n, span, x);
  __mmask16 odd = _mm512_test_epi32_mask(_mm512_cvttps_epi32(n), _mm512_set1_epi32(1));
  x = _mm512_mask_sub_ps(x, odd, span, x);
  return _mm512_min_ps(_mm512_max_ps(x, _mm512_setzero_ps()), span);
}

AVX512 static inline spots locate(const mapping *p, __m512 j) {
  const __m512 zero = _mm512_setzero_ps(), one = _mm512_set1_ps(16384.0f);
  __m512 r = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_fmadd_ps(p->m6, j, p->w0));
  __m512 x = _mm512_mul_ps(_mm512_fmadd_ps(p->m0, j, p->u0), r);
  __m512 y = _mm512_mul_ps(_mm512_fmadd_ps(p->m3, j, p->v0), r);
  if (!p->inside) {
    x = fold(x, p->span_x, p->inv_x);
    y = fold(y, p->span_y, p->inv_y);
  }
  x = _mm512_min_ps(_mm512_max_ps(_mm512_add_ps(x, p->low_x), zero), p->last_x);
  y = _mm512_min_ps(_mm512_max_ps(_mm512_add_ps(y, p->low_y), zero), p->last_y);
  __m512i xi = _mm512_min_epi32(_mm512_cvttps_epi32(x), p->cell_x);
  __m512i yi = _mm512_min_epi32(_mm512_cvttps_epi32(y), p->cell_y);
  __m512 fx = _mm512_mul_ps(_mm512_sub_ps(x, _mm512_cvtepi32_ps(xi)), one);
  __m512 fy = _mm512_sub_ps(y, _mm512_cvtepi32_ps(yi));
  __m512i right = _mm512_cvtps_epi32(fx), below = _mm512_cvtps_epi32(_mm512_mul_ps(fy, one));
  __m512i both = _mm512_cvtps_epi32(_mm512_mul_ps(fx, fy));
  // The four add up to 16384; rounding can leave -1 for the first.
  __m512i w01 = _mm512_sub_epi32(right, both), w10 = _mm512_sub_epi32(below, both);
  __m512i w00 = _mm512_sub_epi32(_mm512_set1_epi32(16384), _mm512_add_epi32(right, w10));
  const __m512i words = _mm512_set1_epi32(0xffff);
  spots s;
  s.top = _mm512_or_si512(_mm512_slli_epi32(w01, 16), _mm512_and_si512(w00, words));
  s.bottom = _mm512_or_si512(_mm512_slli_epi32(both, 16), w10);
  s.offset = _mm512_add_epi32(_mm512_mullo_epi32(yi, p->stride), _mm512_slli_epi32(xi, 2));
  return s;
}

// The two texels of a row for each of four pixels, as words R0 R1 G0 G1 B0 B1 X0 X1.
AVX512 static inline __m512i texels(const uint8_t *base, __m128i offset) {
  const __m256i pairs = _mm256_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15, 0, 4,
                                         1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  // Faster than the gather instruction.
  const __m128d a = _mm_load_sd((const double *)(base + _mm_cvtsi128_si32(offset)));
  const __m128d b = _mm_load_sd((const double *)(base + _mm_extract_epi32(offset, 2)));
  const __m128d low = _mm_loadh_pd(a, (const double *)(base + _mm_extract_epi32(offset, 1)));
  const __m128d high = _mm_loadh_pd(b, (const double *)(base + _mm_extract_epi32(offset, 3)));
  const __m256i t = _mm256_castpd_si256(_mm256_insertf128_pd(_mm256_castpd128_pd256(low), high, 1));
  return _mm512_cvtepu8_epi16(_mm256_shuffle_epi8(t, pairs));
}

// Four pixels in 15 bits, a dword for each channel. What lies ahead of the first is read soon.
AVX512 static inline __m512i blend(const uint8_t *base, ptrdiff_t below, ptrdiff_t ahead,
                                   __m128i offset, __m512i top, __m512i bottom) {
  _mm_prefetch((const char *)((uintptr_t)base + (uintptr_t)ahead +
                              (uintptr_t)(intptr_t)_mm_cvtsi128_si32(offset)),
               _MM_HINT_T0);
  __m512i sum = _mm512_add_epi32(_mm512_madd_epi16(texels(base, offset), top),
                                 _mm512_madd_epi16(texels(base + below, offset), bottom));
  return _mm512_srai_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(64)), 7);
}

// Eight pixels in words: no further than 15 bits, and through the curve.
AVX512 static inline __m512i curved(__m512i words, const tables *t) {
  words = _mm512_min_epu16(words, _mm512_set1_epi16(ORR_TOP15));
  if (!t) return words;
  const __m512i segment = _mm512_srli_epi16(words, 8);
  const __mmask32 upper = _mm512_test_epi16_mask(words, _mm512_set1_epi16(0x4000));
  __m512i base =
      _mm512_mask_blend_epi16(upper, _mm512_permutex2var_epi16(t->base[0], segment, t->base[1]),
                              _mm512_permutex2var_epi16(t->base[2], segment, t->base[3]));
  __m512i slope =
      _mm512_mask_blend_epi16(upper, _mm512_permutex2var_epi16(t->slope[0], segment, t->slope[1]),
                              _mm512_permutex2var_epi16(t->slope[2], segment, t->slope[3]));
  __m512i within = _mm512_srli_epi16(_mm512_slli_epi16(words, 8), 1);
  return _mm512_add_epi16(base, _mm512_mulhrs_epi16(slope, within));
}

AVX512 static inline void store16(float *to, __m512 v, int n) {
  if (n >= 16)
    _mm512_storeu_ps(to, v);
  else if (n > 0)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << n) - 1), v);
}

// 16 pixels of which n count, RGBX in z, to RGB.
AVX512 static inline void interleaved(const __m512 z[4], int n, float *to) {
  const __m512i i0 = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20);
  const __m512i i1 = _mm512_setr_epi32(5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25);
  const __m512i i2 =
      _mm512_setr_epi32(10, 12, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25, 26, 28, 29, 30);
  store16(to, _mm512_permutex2var_ps(z[0], i0, z[1]), 3 * n);
  store16(to + 16, _mm512_permutex2var_ps(z[1], i1, z[2]), 3 * n - 16);
  store16(to + 32, _mm512_permutex2var_ps(z[2], i2, z[3]), 3 * n - 32);
}

// The same in 8 bits, from the words of pixels 0 to 7 and 8 to 15.
AVX512 static inline void interleaved_bytes(__m512i w0, __m512i w1, int n, uint8_t *to) {
  const __m512i half = _mm512_set1_epi16(64);
  const __m256i b0 = _mm512_cvtepi16_epi8(_mm512_srli_epi16(_mm512_add_epi16(w0, half), 7));
  const __m256i b1 = _mm512_cvtepi16_epi8(_mm512_srli_epi16(_mm512_add_epi16(w1, half), 7));
  const __m512i b = _mm512_inserti64x4(_mm512_castsi256_si512(b0), b1, 1);
  const __m512i rgb =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const __m512i dense = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15);
  const __m512i v = _mm512_permutexvar_epi32(dense, _mm512_shuffle_epi8(b, rgb));
  if (n >= 16) {
    _mm256_storeu_si256((__m256i *)to, _mm512_castsi512_si256(v));
    _mm_storeu_si128((__m128i *)(to + 32), _mm512_extracti32x4_epi32(v, 2));
  } else {
    _mm512_mask_storeu_epi8(to, ((__mmask64)1 << 3 * n) - 1, v);
  }
}

// The same to one plane.
AVX512 static inline void plane(const __m512 z[4], int channel, float *to) {
  const __m512i pick =
      _mm512_add_epi32(_mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0),
                       _mm512_set1_epi32(channel));
  __m512 low = _mm512_permutex2var_ps(z[0], pick, z[1]),
         high = _mm512_permutex2var_ps(z[2], pick, z[3]);
  _mm512_storeu_ps(to, _mm512_shuffle_f32x4(low, high, 0x44));
}

AVX512 static inline void quick_row(const orr_quick *q, const tables *t, int row, int n,
                                    void *out) {
  const orr_view *v = q->view;
  const mapping map = map_row(v, row);
  const ptrdiff_t below = v->h > 1 ? v->stride : 0, ahead = orr_rows_ahead(v, row, n);
  const float unit = 1.0f / ORR_ONE15;
  const __m512 scale = _mm512_broadcast_f32x4(
      _mm_setr_ps(q->scale[0] * unit, q->scale[1] * unit, q->scale[2] * unit, 0));
  const __m512 shift =
      _mm512_broadcast_f32x4(_mm_setr_ps(q->shift[0], q->shift[1], q->shift[2], 0));
  const __m512i zero = _mm512_setzero_si512();
  __m512i four[4];  // each of four pixels for its four channels
  for (int k = 0; k < 4; k++)
    four[k] = _mm512_add_epi32(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
                               _mm512_set1_epi32(4 * k));
  __m512 j = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (int at = 0; at < n; at += 16, j = _mm512_add_ps(j, _mm512_set1_ps(16.0f))) {
    const spots s = locate(&map, j);
    __m512i p[4];
    int32_t offset[16] __attribute__((aligned(64)));
    _mm512_store_si512(offset, s.offset);
    for (int k = 0; k < 4; k++)
      p[k] = blend(v->base, below, ahead, _mm_load_si128((const __m128i *)(offset + 4 * k)),
                   _mm512_permutexvar_epi32(four[k], s.top),
                   _mm512_permutexvar_epi32(four[k], s.bottom));
    // Packing and unpacking keep to their 128 bits, so the order comes out right.
    __m512i w0 = curved(_mm512_packus_epi32(p[0], p[1]), t);
    __m512i w1 = curved(_mm512_packus_epi32(p[2], p[3]), t);
    if (q->bytes) {
      interleaved_bytes(w0, w1, n - at, (uint8_t *)out + 3 * (size_t)at);
      continue;
    }
    __m512 z[4] = {_mm512_cvtepi32_ps(_mm512_unpacklo_epi16(w0, zero)),
                   _mm512_cvtepi32_ps(_mm512_unpackhi_epi16(w0, zero)),
                   _mm512_cvtepi32_ps(_mm512_unpacklo_epi16(w1, zero)),
                   _mm512_cvtepi32_ps(_mm512_unpackhi_epi16(w1, zero))};
    for (int k = 0; k < 4; k++) z[k] = _mm512_fmadd_ps(z[k], scale, shift);
    if (q->pitch) {
      for (int c = 0; c < 3; c++) plane(z, c, (float *)out + (size_t)c * q->pitch + at);
    } else {
      interleaved(z, n - at, (float *)out + 3 * (size_t)at);
    }
  }
}

AVX512 void orr_quick_avx512(const orr_quick *q, int row, int n, void *out) {
  if (!q->curve) {
    quick_row(q, NULL, row, n, out);
    return;
  }
  tables t;
  for (int k = 0; k < 4; k++) {
    t.base[k] = _mm512_loadu_si512(q->curve->base + 32 * k);
    t.slope[k] = _mm512_loadu_si512(q->curve->slope + 32 * k);
  }
  quick_row(q, &t, row, n, out);
}

#else
typedef int orr_not_x86_64;  // An empty translation unit is not C.
#endif
