#include "scale.h"

#include <stddef.h>
#include <string.h>

#define BITS 22
#define HALF (1 << (BITS - 1))

// The compiler makes one version for AVX2 and one for any processor; the loader picks.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

// Four channels of a pixel at once; GCC and Clang both know these types.
typedef int32_t pixel __attribute__((vector_size(16)));
typedef uint8_t bytes4 __attribute__((vector_size(4)));

static inline uint8_t clip(int32_t v) {
  v >>= BITS;
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

CLONES
void orrery_scale_rows(uint8_t *dst, int dst_width, const uint8_t *src, int src_width, int height,
                       const int32_t *from, const int32_t *count, const int32_t *weight,
                       int stride) {
  for (int y = 0; y < height; y++) {
    const uint8_t *row = src + (size_t)4 * src_width * y;
    uint8_t *out = dst + (size_t)4 * dst_width * y;
    for (int x = 0; x < dst_width; x++) {
      const uint8_t *s = row + 4 * from[x];
      const int32_t *w = weight + (size_t)stride * x;
      pixel sum = {HALF, HALF, HALF, HALF};
      for (int k = 0; k < count[x]; k++, s += 4) {
        bytes4 b;
        memcpy(&b, s, sizeof b);
        sum += __builtin_convertvector(b, pixel) * w[k];
      }
      out[4 * x] = clip(sum[0]);
      out[4 * x + 1] = clip(sum[1]);
      out[4 * x + 2] = clip(sum[2]);
      out[4 * x + 3] = 255;
    }
  }
}

CLONES
void orrery_scale_columns(uint8_t *dst, int dst_height, const uint8_t *src, int width,
                          const int32_t *from, const int32_t *count, const int32_t *weight,
                          int stride, int32_t *restrict sum) {
  int n = 4 * width;
  for (int y = 0; y < dst_height; y++) {
    const int32_t *w = weight + (size_t)stride * y;
    for (int i = 0; i < n; i++) sum[i] = HALF;
    for (int k = 0; k < count[y]; k++) {
      const uint8_t *restrict s = src + (size_t)n * (from[y] + k);
      int32_t v = w[k];
      for (int i = 0; i < n; i++) sum[i] += v * s[i];
    }
    uint8_t *restrict out = dst + (size_t)n * y;
    for (int i = 0; i < n; i++) out[i] = clip(sum[i]);
    for (int i = 3; i < n; i += 4) out[i] = 255;
  }
}
