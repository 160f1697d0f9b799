// The AVX2 form of the work on planes.
#if defined(__x86_64__)

#include <immintrin.h>

#include "planes.h"

#define AVX2 __attribute__((target("avx2,fma")))

// n is known where it is small.
AVX2 static inline void lower_n(const uint8_t *const *rows, const __m256i *w, const int n,
                                int bytes, uint16_t *out) {
  for (int x = 0; x < bytes; x += 16) {
    __m256i s = _mm256_setzero_si256();
    for (int i = 0; i < n; i++) {
      __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(rows[i] + x)));
      s = _mm256_add_epi16(s, _mm256_mulhrs_epi16(_mm256_slli_epi16(v, 7), w[i]));
    }
    _mm256_storeu_si256((__m256i *)(out + x), s);
  }
}

AVX2 static void lower(const uint8_t *const *rows, const int16_t *weight, int n, int bytes,
                       uint16_t *out) {
  __m256i w[2 * ORR_MOST_SHRINK + 2];
  for (int i = 0; i < n; i++) w[i] = _mm256_set1_epi16(weight[i]);
  switch (n) {
    case 1:
      lower_n(rows, w, 1, bytes, out);
      return;
    case 2:
      lower_n(rows, w, 2, bytes, out);
      return;
    case 3:
      lower_n(rows, w, 3, bytes, out);
      return;
    case 4:
      lower_n(rows, w, 4, bytes, out);
      return;
    default:
      lower_n(rows, w, n, bytes, out);
  }
}

AVX2 static inline __m256i load_both(const uint16_t *low, const uint16_t *high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                 _mm_loadu_si128((const __m128i *)high), 1);
}

// Eight words of 16 rows to eight columns: each half of a vector holds eight rows.
AVX2 static inline void turn8(const uint16_t *rows, size_t pitch, uint16_t *columns) {
  __m256i a[8], b[8];
  for (int r = 0; r < 8; r++) a[r] = load_both(rows + pitch * r, rows + pitch * (r + 8));
  for (int k = 0; k < 4; k++) {
    b[2 * k] = _mm256_unpacklo_epi16(a[2 * k], a[2 * k + 1]);
    b[2 * k + 1] = _mm256_unpackhi_epi16(a[2 * k], a[2 * k + 1]);
  }
  for (int k = 0; k < 2; k++) {
    const __m256i *p = b + 4 * k;
    a[4 * k] = _mm256_unpacklo_epi32(p[0], p[2]);
    a[4 * k + 1] = _mm256_unpackhi_epi32(p[0], p[2]);
    a[4 * k + 2] = _mm256_unpacklo_epi32(p[1], p[3]);
    a[4 * k + 3] = _mm256_unpackhi_epi32(p[1], p[3]);
  }
  __m256i *to = (__m256i *)columns;
  for (int k = 0; k < 4; k++) {
    _mm256_storeu_si256(to + 2 * k, _mm256_unpacklo_epi64(a[k], a[k + 4]));
    _mm256_storeu_si256(to + 2 * k + 1, _mm256_unpackhi_epi64(a[k], a[k + 4]));
  }
}

AVX2 static void turn(const uint16_t *rows, size_t pitch, int n, uint16_t *columns) {
  for (int x = 0; x < n; x += 8) turn8(rows + x, pitch, columns + ORR_STRIP * (size_t)x);
}

// The weight four times, as orr_merged.spread holds it.
AVX2 static inline __m256i weight_of(const int16_t *spread) {
  return _mm256_castpd_si256(_mm256_broadcast_sd((const double *)spread));
}

AVX2 static inline __m256i column(const uint16_t *columns, int x) {
  return _mm256_loadu_si256((const __m256i *)(columns + ORR_STRIP * (size_t)x));
}

AVX2 static inline __m256i sum(const orr_merged *m, const uint16_t *columns, int o) {
  const int16_t *w = m->spread + 4 * (size_t)o * (size_t)m->width;
  const int first = m->first[o], n = m->count[o];
  __m256i s = _mm256_mulhrs_epi16(column(columns, first), weight_of(w));
  for (int i = 1; i < n; i++)
    s = _mm256_add_epi16(s, _mm256_mulhrs_epi16(column(columns, first + i), weight_of(w + 4 * i)));
  return s;
}

// 16 words of 15 bits to 0..255.
AVX2 static inline __m256i whole(__m256i v) {
  v = _mm256_srai_epi16(_mm256_adds_epi16(v, _mm256_set1_epi16(64)), 7);
  return _mm256_min_epi16(_mm256_max_epi16(v, _mm256_setzero_si256()), _mm256_set1_epi16(255));
}

// Column o as RGBX, a dword a pixel: rows 0-3 and 8-11 in *low, 4-7 and 12-15 in *high.
AVX2 static inline void coloured(__m256i y, __m256i cb, __m256i cr, __m256i *low, __m256i *high) {
  const __m256i neutral = _mm256_set1_epi16(ORR_NEUTRAL);
  cb = _mm256_sub_epi16(cb, neutral), cr = _mm256_sub_epi16(cr, neutral);
  __m256i r = _mm256_adds_epi16(_mm256_adds_epi16(y, cr),
                                _mm256_mulhrs_epi16(cr, _mm256_set1_epi16(ORR_RED)));
  __m256i g = _mm256_subs_epi16(y, _mm256_mulhrs_epi16(cb, _mm256_set1_epi16(ORR_GREEN_B)));
  g = _mm256_subs_epi16(g, _mm256_mulhrs_epi16(cr, _mm256_set1_epi16(ORR_GREEN_R)));
  __m256i b = _mm256_adds_epi16(_mm256_adds_epi16(y, cb),
                                _mm256_mulhrs_epi16(cb, _mm256_set1_epi16(ORR_BLUE)));
  __m256i rg = _mm256_or_si256(whole(r), _mm256_slli_epi16(whole(g), 8));
  __m256i bx = _mm256_or_si256(whole(b), _mm256_set1_epi16((int16_t)0xff00));
  *low = _mm256_unpacklo_epi16(rg, bx);
  *high = _mm256_unpackhi_epi16(rg, bx);
}

// Eight columns of eight pixels to eight rows of eight, of which n are written.
AVX2 static inline void write8(const __m256i c[8], int n, const int rows[8], int count,
                               uint8_t *out, size_t pitch) {
  __m256i a[8], b[8];
  for (int k = 0; k < 4; k++) {
    a[2 * k] = _mm256_unpacklo_epi32(c[2 * k], c[2 * k + 1]);
    a[2 * k + 1] = _mm256_unpackhi_epi32(c[2 * k], c[2 * k + 1]);
  }
  for (int k = 0; k < 2; k++) {
    b[4 * k] = _mm256_unpacklo_epi64(a[4 * k], a[4 * k + 2]);
    b[4 * k + 1] = _mm256_unpackhi_epi64(a[4 * k], a[4 * k + 2]);
    b[4 * k + 2] = _mm256_unpacklo_epi64(a[4 * k + 1], a[4 * k + 3]);
    b[4 * k + 3] = _mm256_unpackhi_epi64(a[4 * k + 1], a[4 * k + 3]);
  }
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lanes);
  for (int k = 0; k < 8; k++) {
    if (rows[k] >= count) continue;
    const __m256i v = k < 4 ? _mm256_permute2x128_si256(b[k], b[k + 4], 0x20)
                            : _mm256_permute2x128_si256(b[k - 4], b[k], 0x31);
    int *to = (int *)(out + pitch * (size_t)rows[k]);
    if (n == 8)
      _mm256_storeu_si256((__m256i *)to, v);
    else
      _mm256_maskstore_epi32(to, mask, v);
  }
}

AVX2 static void colours(const orr_merged *luma, const orr_merged *chroma,
                         const uint16_t *const columns[3], int rows, uint8_t *out, size_t pitch) {
  static const int low_rows[8] = {0, 1, 2, 3, 8, 9, 10, 11};
  static const int high_rows[8] = {4, 5, 6, 7, 12, 13, 14, 15};
  __m256i low[8], high[8];
  for (int k = 0; k < 8; k++) low[k] = high[k] = _mm256_setzero_si256();
  for (int at = 0; at < luma->out; at += 8) {
    const int n = luma->out - at < 8 ? luma->out - at : 8;
    for (int k = 0; k < n; k++)
      coloured(sum(luma, columns[0], at + k), sum(chroma, columns[1], at + k),
               sum(chroma, columns[2], at + k), &low[k], &high[k]);
    write8(low, n, low_rows, rows, out + 4 * (size_t)at, pitch);
    write8(high, n, high_rows, rows, out + 4 * (size_t)at, pitch);
  }
}

const orr_plane_ops orr_avx2_planes = {lower, turn, colours};

#else
typedef int orr_not_x86_64;  // An empty translation unit is not C.
#endif
