// The AVX2 + FMA form of every stage. Compiled for those machines function by function; the driver
// picks it at run time.
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "ops.h"

#define AVX2 __attribute__((target("avx2,fma")))

// Zero-extends two RGBX pixels to words in the order R0 R1 G0 G1 B0 B1 X0 X1.
#define PAIR_BYTES 0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1
// Brings the words of two pixels into the same order.
#define PAIR_WORDS 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15

AVX2 static inline __m256i both(__m128i low, __m128i high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

AVX2 static inline __m128i load64(const void *p) { return _mm_loadl_epi64((const __m128i *)p); }

AVX2 static void horizontal(const uint8_t *row, const orr_taps *t, uint8_t *out) {
  const __m256i order = _mm256_setr_epi8(PAIR_BYTES, PAIR_BYTES);
  const __m256i half = _mm256_set1_epi32(1 << (ORR_BITS - 1));
  const __m256i *w = (const __m256i *)t->grouped;
  for (int o = 0; o < t->out; o += 4, out += 16) {
    const uint8_t *p0 = row + 4 * (size_t)t->first[o], *p1 = row + 4 * (size_t)t->first[o + 1];
    const uint8_t *p2 = row + 4 * (size_t)t->first[o + 2], *p3 = row + 4 * (size_t)t->first[o + 3];
    __m256i ha = _mm256_setzero_si256(), la = half, hb = _mm256_setzero_si256(), lb = half;
    for (int i = 0; i < t->pairs; i++, w += 4) {
      __m256i a = _mm256_shuffle_epi8(both(load64(p0 + 8 * i), load64(p2 + 8 * i)), order);
      __m256i b = _mm256_shuffle_epi8(both(load64(p1 + 8 * i), load64(p3 + 8 * i)), order);
      ha = _mm256_add_epi32(ha, _mm256_madd_epi16(a, _mm256_load_si256(w)));
      la = _mm256_add_epi32(la, _mm256_madd_epi16(a, _mm256_load_si256(w + 1)));
      hb = _mm256_add_epi32(hb, _mm256_madd_epi16(b, _mm256_load_si256(w + 2)));
      lb = _mm256_add_epi32(lb, _mm256_madd_epi16(b, _mm256_load_si256(w + 3)));
    }
    __m256i a =
        _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(ha, ORR_LOW_BITS), la), ORR_BITS);
    __m256i b =
        _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(hb, ORR_LOW_BITS), lb), ORR_BITS);
    __m256i words = _mm256_packs_epi32(a, b);  // [o0 o1 | o2 o3]
    __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0x08);
    _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(bytes));
  }
}

// 16 sums of a pair of rows, in 32 bits: two vectors.
AVX2 static inline void pair_sums(__m256i words0, __m256i words1, __m256i high, __m256i low,
                                  __m256i *h0, __m256i *l0, __m256i *h1, __m256i *l1) {
  *h0 = _mm256_add_epi32(*h0, _mm256_madd_epi16(words0, high));
  *l0 = _mm256_add_epi32(*l0, _mm256_madd_epi16(words0, low));
  *h1 = _mm256_add_epi32(*h1, _mm256_madd_epi16(words1, high));
  *l1 = _mm256_add_epi32(*l1, _mm256_madd_epi16(words1, low));
}

AVX2 static inline __m256i finish(__m256i high, __m256i low) {
  return _mm256_srai_epi32(_mm256_add_epi32(_mm256_slli_epi32(high, ORR_LOW_BITS), low), ORR_BITS);
}

AVX2 static void vertical(const uint8_t *const *rows, const int32_t *weight, int n, int bytes,
                          uint8_t *out) {
  const __m256i half = _mm256_set1_epi32(1 << (ORR_BITS - 1));
  const __m256i zero = _mm256_setzero_si256();
  const int mask = (1 << ORR_LOW_BITS) - 1;
  for (int x = 0; x < bytes; x += 32) {
    __m256i h0 = zero, h1 = zero, h2 = zero, h3 = zero;
    __m256i l0 = half, l1 = half, l2 = half, l3 = half;
    for (int i = 0; i < n; i += 2) {
      int second = i + 1 < n;
      uint32_t wa = (uint32_t)weight[i], wb = second ? (uint32_t)weight[i + 1] : 0;
      __m256i high =
          _mm256_set1_epi32((int)((wa >> ORR_LOW_BITS & 0xffff) | (wb >> ORR_LOW_BITS) << 16));
      __m256i low = _mm256_set1_epi32((int)((wa & mask) | (wb & mask) << 16));
      __m256i a = _mm256_loadu_si256((const __m256i *)(rows[i] + x));
      __m256i b = _mm256_loadu_si256((const __m256i *)(rows[second ? i + 1 : i] + x));
      __m256i ab0 = _mm256_unpacklo_epi8(a, b), ab1 = _mm256_unpackhi_epi8(a, b);
      pair_sums(_mm256_unpacklo_epi8(ab0, zero), _mm256_unpackhi_epi8(ab0, zero), high, low, &h0,
                &l0, &h1, &l1);
      pair_sums(_mm256_unpacklo_epi8(ab1, zero), _mm256_unpackhi_epi8(ab1, zero), high, low, &h2,
                &l2, &h3, &l3);
    }
    // unpack and pack keep to their 128-bit halves, so the order comes out right.
    __m256i w0 = _mm256_packs_epi32(finish(h0, l0), finish(h1, l1));
    __m256i w1 = _mm256_packs_epi32(finish(h2, l2), finish(h3, l3));
    _mm256_storeu_si256((__m256i *)(out + x), _mm256_packus_epi16(w0, w1));
  }
}

AVX2 static void area(const uint8_t *const *rows, int n, const orr_windows *w, void *scratch,
                      uint16_t *out) {
  // Words hold the sums of 128 rows; a madd below reads them as signed.
  if (n > 128) {
    orr_scalar_ops.area(rows, n, w, scratch, out);
    return;
  }
  uint16_t *sums = scratch;
  int bytes = w->in * 4;
  for (int x = 0; x < bytes; x += 16) {
    __m256i s = _mm256_setzero_si256();
    for (int i = 0; i < n; i++) {
      s = _mm256_add_epi16(s, _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)(rows[i] + x))));
    }
    _mm256_storeu_si256((__m256i *)(sums + x), s);
  }
  const __m256i order = _mm256_setr_epi8(PAIR_WORDS, PAIR_WORDS);
  const __m256i ones = _mm256_set1_epi16(1);
  float inverse[5] = {0};
  for (int k = 1; k < 5; k++) inverse[k] = 128.0f / (float)(n * k);
  for (int o = 0; o < w->out; o += 2) {
    int s0 = w->start[o], s1 = w->start[o + 1], n0 = w->end[o] - s0, n1 = w->end[o + 1] - s1;
    const uint16_t *p0 = sums + 4 * s0, *p1 = sums + 4 * s1;
    __m128i low, high;
    if (n0 >= 2 && n1 >= 2) {
      __m256i two = both(_mm_loadu_si128((const void *)p0), _mm_loadu_si128((const void *)p1));
      two = _mm256_madd_epi16(_mm256_shuffle_epi8(two, order), ones);
      low = _mm256_castsi256_si128(two);
      high = _mm256_extracti128_si256(two, 1);
      for (int k = 2; k < n0; k++) low = _mm_add_epi32(low, _mm_cvtepu16_epi32(load64(p0 + 4 * k)));
      for (int k = 2; k < n1; k++)
        high = _mm_add_epi32(high, _mm_cvtepu16_epi32(load64(p1 + 4 * k)));
    } else {
      low = _mm_cvtepu16_epi32(load64(p0));
      high = _mm_cvtepu16_epi32(load64(p1));
      for (int k = 1; k < n0; k++) low = _mm_add_epi32(low, _mm_cvtepu16_epi32(load64(p0 + 4 * k)));
      for (int k = 1; k < n1; k++)
        high = _mm_add_epi32(high, _mm_cvtepu16_epi32(load64(p1 + 4 * k)));
    }
    __m128 f0 = _mm_set1_ps(n0 < 5 ? inverse[n0] : 128.0f / (float)(n * n0));
    __m128 f1 = _mm_set1_ps(n1 < 5 ? inverse[n1] : 128.0f / (float)(n * n1));
    low = _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(low), f0));
    high = _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(high), f1));
    _mm_storeu_si128((__m128i *)(out + 4 * o), _mm_packus_epi32(low, high));
  }
}

// Two outputs at a time, each a vector of four texels times four weights for a group; the number of
// groups is known where it is small.
AVX2 static inline void across_groups(const uint16_t *line, const orr_merged *m, const int groups,
                                      uint16_t *out) {
  const __m256i *w = (const __m256i *)m->spread;
  const int32_t *first = m->first;
  for (int o = 0; o < m->out; o += 2, w += 2 * groups) {
    const uint16_t *p = line + 4 * (size_t)first[o], *q = line + 4 * (size_t)first[o + 1];
    __m256i a = _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)p), _mm256_load_si256(w));
    __m256i b =
        _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)q), _mm256_load_si256(w + groups));
    for (int i = 1; i < groups; i++) {
      a = _mm256_add_epi16(a, _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)p + i),
                                                  _mm256_load_si256(w + i)));
      b = _mm256_add_epi16(b, _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)q + i),
                                                  _mm256_load_si256(w + groups + i)));
    }
    __m256i s = _mm256_add_epi16(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    _mm_storeu_si128((__m128i *)(out + 4 * o),
                     _mm_add_epi16(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
  }
}

AVX2 static void across(const uint8_t *row, ptrdiff_t ahead, const orr_merged *m, uint16_t *line,
                        uint16_t *out) {
  for (int i = 0; i < 4 * m->in; i += 64)
    _mm_prefetch((const char *)((uintptr_t)row + (uintptr_t)ahead + (uintptr_t)i), _MM_HINT_T0);
  for (int i = 0; i < 4 * m->in; i += 16) {
    __m256i words = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row + i)));
    _mm256_storeu_si256((__m256i *)(line + i), _mm256_slli_epi16(words, 7));
  }
  memset(line + 4 * m->in, 0, 8 * (size_t)m->width);
  switch (m->width) {
    case 4:
      across_groups(line, m, 1, out);
      return;
    case 8:
      across_groups(line, m, 2, out);
      return;
    default:
      across_groups(line, m, m->width / 4, out);
  }
}

// The sum of n rows at one vector; n is known where it is small.
AVX2 static inline void down_n(const uint16_t *const *rows, const __m256i *w, const int n,
                               int words, uint16_t *out) {
  const __m256i top = _mm256_set1_epi16(ORR_TOP15);
  for (int x = 0; x < words; x += 16) {
    __m256i s = _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)(rows[0] + x)), w[0]);
    for (int i = 1; i < n; i++)
      s = _mm256_add_epi16(
          s, _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)(rows[i] + x)), w[i]));
    _mm256_storeu_si256((__m256i *)(out + x), _mm256_min_epi16(s, top));
  }
}

AVX2 static void down(const uint16_t *const *rows, const int16_t *weight, int n, int words,
                      uint16_t *out) {
  __m256i w[8];
  for (int i = 0; i < n && i < 8; i++) w[i] = _mm256_set1_epi16(weight[i]);
  switch (n) {
    case 2:
      down_n(rows, w, 2, words, out);
      return;
    case 3:
      down_n(rows, w, 3, words, out);
      return;
    case 4:
      down_n(rows, w, 4, words, out);
      return;
  }
  if (n <= 8) {
    down_n(rows, w, n, words, out);
    return;
  }
  const __m256i top = _mm256_set1_epi16(ORR_TOP15);
  for (int x = 0; x < words; x += 16) {
    __m256i s = _mm256_setzero_si256();
    for (int i = 0; i < n; i++)
      s = _mm256_add_epi16(s,
                           _mm256_mulhrs_epi16(_mm256_loadu_si256((const __m256i *)(rows[i] + x)),
                                               _mm256_set1_epi16(weight[i])));
    _mm256_storeu_si256((__m256i *)(out + x), _mm256_min_epi16(s, top));
  }
}

AVX2 static void narrow(const uint16_t *words, int n, uint8_t *out) {
  const __m256i half = _mm256_set1_epi16(64);
  for (int x = 0; x < n; x += 32) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(words + x));
    __m256i b = _mm256_loadu_si256((const __m256i *)(words + x + 16));
    a = _mm256_srli_epi16(_mm256_add_epi16(a, half), 7);
    b = _mm256_srli_epi16(_mm256_add_epi16(b, half), 7);
    // Packing works in halves of 128 bits.
    __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
    _mm256_storeu_si256((__m256i *)(out + x), bytes);
  }
}

AVX2 static inline __m256 fold(__m256 x, __m256 span, __m256 inverse) {
  x = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
  __m256 n = _mm256_floor_ps(_mm256_mul_ps(x, inverse));
  x = _mm256_fnmadd_ps(n, span, x);
  __m256i odd = _mm256_slli_epi32(_mm256_cvttps_epi32(n), 31);
  x = _mm256_blendv_ps(x, _mm256_sub_ps(span, x), _mm256_castsi256_ps(odd));
  return _mm256_min_ps(_mm256_max_ps(x, _mm256_setzero_ps()), span);
}

// Blends the texels above and below for the pixels at offsets a and b (wide: 2 texels are 16 bytes).
AVX2 static inline __m256i blend_rows(const uint8_t *base, ptrdiff_t stride, int wide, int a, int b,
                                      __m256i wy) {
  const uint8_t *p = base + (uint32_t)a, *q = base + (uint32_t)b;
  __m256i top, bottom;
  if (wide) {
    top = both(_mm_loadu_si128((const void *)p), _mm_loadu_si128((const void *)q));
    bottom = both(_mm_loadu_si128((const void *)(p + stride)),
                  _mm_loadu_si128((const void *)(q + stride)));
  } else {
    top = _mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi64(load64(p), load64(q))), 7);
    bottom = _mm256_slli_epi16(
        _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(load64(p + stride), load64(q + stride))), 7);
  }
  return _mm256_add_epi16(top, _mm256_mulhrs_epi16(_mm256_sub_epi16(bottom, top), wy));
}

AVX2 static inline void sample_any(const orr_view *v, int row, int n, float *planes, int pitch,
                                   const int wide) {
  const float *m = v->m;
  const __m256 one = _mm256_set1_ps(1.0f), zero = _mm256_setzero_ps();
  const __m256 low_x = _mm256_set1_ps(v->low_x), low_y = _mm256_set1_ps(v->low_y);
  const __m256 span_x = _mm256_set1_ps(v->span_x), span_y = _mm256_set1_ps(v->span_y);
  const __m256 inv_x = _mm256_set1_ps(v->span_x > 0 ? 1.0f / v->span_x : 0.0f);
  const __m256 inv_y = _mm256_set1_ps(v->span_y > 0 ? 1.0f / v->span_y : 0.0f);
  const __m256 last_x = _mm256_set1_ps((float)(v->w - 1)),
               last_y = _mm256_set1_ps((float)(v->h - 1));
  const __m256i cell_x = _mm256_set1_epi32(v->w > 1 ? v->w - 2 : 0);
  const __m256i cell_y = _mm256_set1_epi32(v->h > 1 ? v->h - 2 : 0);
  const __m256i stride = _mm256_set1_epi32((int)v->stride);
  const __m256i order = _mm256_setr_epi8(PAIR_WORDS, PAIR_WORDS);
  const __m256 unit = _mm256_set1_ps(1.0f / (ORR_ONE15 * ORR_WEIGHT14));
  const __m256 u0 = _mm256_set1_ps(m[1] * row + m[2]), v0 = _mm256_set1_ps(m[4] * row + m[5]);
  const __m256 w0 = _mm256_set1_ps(m[7] * row + m[8]);
  const __m256 m0 = _mm256_set1_ps(m[0]), m3 = _mm256_set1_ps(m[3]), m6 = _mm256_set1_ps(m[6]);
  const ptrdiff_t step = v->h > 1 ? v->stride : 0;
  const ptrdiff_t ahead = wide ? 0 : orr_rows_ahead(v, row, n);
  __m256 j = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
  for (int at = 0; at < n; at += 8, j = _mm256_add_ps(j, _mm256_set1_ps(8.0f))) {
    __m256 r = _mm256_div_ps(one, _mm256_fmadd_ps(m6, j, w0));
    __m256 x = _mm256_mul_ps(_mm256_fmadd_ps(m0, j, u0), r);
    __m256 y = _mm256_mul_ps(_mm256_fmadd_ps(m3, j, v0), r);
    if (!v->inside) {
      x = fold(x, span_x, inv_x);
      y = fold(y, span_y, inv_y);
    }
    x = _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(x, low_x), zero), last_x);
    y = _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(y, low_y), zero), last_y);
    __m256i xi = _mm256_min_epi32(_mm256_cvttps_epi32(x), cell_x);
    __m256i yi = _mm256_min_epi32(_mm256_cvttps_epi32(y), cell_y);
    __m256 fx = _mm256_sub_ps(x, _mm256_cvtepi32_ps(xi)),
           fy = _mm256_sub_ps(y, _mm256_cvtepi32_ps(yi));
    __m256i wx = _mm256_cvtps_epi32(_mm256_mul_ps(fx, _mm256_set1_ps(ORR_WEIGHT14)));
    wx = _mm256_or_si256(_mm256_slli_epi32(wx, 16), _mm256_sub_epi32(_mm256_set1_epi32(16384), wx));
    __m256i wy = _mm256_cvtps_epi32(_mm256_mul_ps(fy, _mm256_set1_ps(32768.0f)));
    wy = _mm256_min_epi32(wy, _mm256_set1_epi32(32767));
    wy = _mm256_or_si256(_mm256_slli_epi32(wy, 16), wy);
    __m256i offset =
        _mm256_add_epi32(_mm256_mullo_epi32(yi, stride), _mm256_slli_epi32(xi, wide ? 3 : 2));
    int32_t at8[8] __attribute__((aligned(32)));
    _mm256_store_si256((__m256i *)at8, offset);
    if (!wide) {
      for (int q = 0; q < 8; q += 2) {
        const char *next = (const char *)((uintptr_t)v->base + (uintptr_t)ahead + (uint32_t)at8[q]);
        _mm_prefetch(next, _MM_HINT_T0);
        _mm_prefetch(next + step, _MM_HINT_T0);
      }
    }
    __m256i p[4];
    for (int q = 0; q < 4; q++) {
      const __m256i pick = _mm256_setr_epi32(q, q, q, q, q + 4, q + 4, q + 4, q + 4);
      __m256i t = blend_rows(v->base, step, wide, at8[q], at8[q + 4],
                             _mm256_permutevar8x32_epi32(wy, pick));
      p[q] =
          _mm256_madd_epi16(_mm256_shuffle_epi8(t, order), _mm256_permutevar8x32_epi32(wx, pick));
    }
    __m256i t0 = _mm256_unpacklo_epi32(p[0], p[1]), t1 = _mm256_unpackhi_epi32(p[0], p[1]);
    __m256i t2 = _mm256_unpacklo_epi32(p[2], p[3]), t3 = _mm256_unpackhi_epi32(p[2], p[3]);
    float *to = planes + at;
    _mm256_storeu_ps(to, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_unpacklo_epi64(t0, t2)), unit));
    _mm256_storeu_ps(to + pitch,
                     _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_unpackhi_epi64(t0, t2)), unit));
    _mm256_storeu_ps(to + 2 * pitch,
                     _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_unpacklo_epi64(t1, t3)), unit));
  }
}

AVX2 static void sample(const orr_view *v, int row, int n, float *planes, int pitch) {
  if (v->wide)
    sample_any(v, row, n, planes, pitch, 1);
  else
    sample_any(v, row, n, planes, pitch, 0);
}

// 1/x to 22 bits: the processor's 12 and one step of Newton's. Four times faster than a division.
AVX2 static inline __m256 reciprocal(__m256 x) {
  __m256 r = _mm256_rcp_ps(x);
  return _mm256_mul_ps(r, _mm256_fnmadd_ps(r, x, _mm256_set1_ps(2.0f)));
}

// 2^x: a polynomial for the fraction (relative error 3e-6), the rest by exponent.
AVX2 static inline __m256 exp2_8(__m256 x) {
  x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-126.0f)), _mm256_set1_ps(126.0f));
  __m256 n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 f = _mm256_sub_ps(x, n);
  __m256 y = _mm256_set1_ps(0.009570102f);
  y = _mm256_fmadd_ps(y, f, _mm256_set1_ps(0.055917863f));
  y = _mm256_fmadd_ps(y, f, _mm256_set1_ps(0.24024744f));
  y = _mm256_fmadd_ps(y, f, _mm256_set1_ps(0.69312179f));
  y = _mm256_fmadd_ps(y, f, _mm256_set1_ps(0.99999928f));
  __m256i e =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(y, _mm256_castsi256_ps(e));
}

// log2(x) of a normal x > 0: a polynomial for the mantissa in sqrt(1/2) to sqrt(2) (error 1.5e-5).
AVX2 static inline __m256 log2_8(__m256 x) {
  const __m256i root = _mm256_set1_epi32(0x3f3504f3);  // sqrt(1/2)
  __m256i bits = _mm256_castps_si256(x);
  __m256i e = _mm256_srai_epi32(_mm256_sub_epi32(bits, root), 23);
  __m256 m = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23)));
  __m256 u = _mm256_sub_ps(m, _mm256_set1_ps(1.0f));
  __m256 y = _mm256_set1_ps(0.25266027f);
  y = _mm256_fmadd_ps(y, u, _mm256_set1_ps(-0.39457551f));
  y = _mm256_fmadd_ps(y, u, _mm256_set1_ps(0.48668617f));
  y = _mm256_fmadd_ps(y, u, _mm256_set1_ps(-0.72024179f));
  y = _mm256_fmadd_ps(y, u, _mm256_set1_ps(1.4425780f));
  return _mm256_fmadd_ps(y, u, _mm256_cvtepi32_ps(e));
}

// log2((1-x)/x) of x clamped to [1e-7, 1 - 1e-7].
AVX2 static inline __m256 odds(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f);
  x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(1e-7f)), _mm256_set1_ps(1.0f - 1e-7f));
  return log2_8(_mm256_mul_ps(_mm256_sub_ps(one, x), reciprocal(x)));
}

AVX2 static void light(float *v, int n, float offset, float gain) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 shift = _mm256_set1_ps(offset * 1.44269504f), factor = _mm256_set1_ps(gain);
  for (int i = 0; i < n; i += 8) {
    __m256 l = _mm256_sub_ps(odds(_mm256_loadu_ps(v + i)), shift);
    __m256 e = exp2_8(_mm256_mul_ps(l, factor));
    _mm256_storeu_ps(v + i, reciprocal(_mm256_add_ps(one, e)));
  }
}

AVX2 static void logit(float *v, int n) {
  for (int i = 0; i < n; i += 8)
    _mm256_storeu_ps(v + i,
                     _mm256_mul_ps(odds(_mm256_loadu_ps(v + i)), _mm256_set1_ps(-0.69314718f)));
}

AVX2 static void sigmoid(float *v, int n) {
  const __m256 one = _mm256_set1_ps(1.0f);
  for (int i = 0; i < n; i += 8) {
    __m256 e = exp2_8(_mm256_mul_ps(_mm256_loadu_ps(v + i), _mm256_set1_ps(-1.44269504f)));
    _mm256_storeu_ps(v + i, reciprocal(_mm256_add_ps(one, e)));
  }
}

AVX2 static void affine(float *v, int n, float scale, float shift) {
  const __m256 s = _mm256_set1_ps(scale), t = _mm256_set1_ps(shift);
  for (int i = 0; i < n; i += 8)
    _mm256_storeu_ps(v + i, _mm256_fmadd_ps(_mm256_loadu_ps(v + i), s, t));
}

AVX2 static void interleave(const float *planes, int pitch, int n, float *out) {
  const float *r = planes, *g = planes + pitch, *b = planes + 2 * pitch;
  int j = 0;
  // Each pixel is stored as 4 floats and the fourth is overwritten by the next pixel, so the last
  // ones of the row are left to the loop below.
  for (; j + 5 <= n; j += 4) {
    __m128 x = _mm_loadu_ps(r + j), y = _mm_loadu_ps(g + j), z = _mm_loadu_ps(b + j), w = z;
    _MM_TRANSPOSE4_PS(x, y, z, w);
    _mm_storeu_ps(out + 3 * j, x);
    _mm_storeu_ps(out + 3 * j + 3, y);
    _mm_storeu_ps(out + 3 * j + 6, z);
    _mm_storeu_ps(out + 3 * j + 9, w);
  }
  for (; j < n; j++) {
    out[3 * j] = r[j];
    out[3 * j + 1] = g[j];
    out[3 * j + 2] = b[j];
  }
}

const orr_ops orr_avx2_ops = {horizontal, vertical, area,  across,  down,   narrow,
                              sample,     light,    logit, sigmoid, affine, interleave};

#else
typedef int orr_not_x86_64;  // An empty translation unit is not C.
#endif
