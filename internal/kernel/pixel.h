// The arithmetic of one sampled pixel, for the scalar form of the kernels and for the GPU.
#ifndef ORRERY_AUGMENT_PIXEL_H_
#define ORRERY_AUGMENT_PIXEL_H_

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define ORR_EACH static __host__ __device__ inline
#else
#define ORR_EACH static inline
#endif

// 15-bit texels: an 8-bit value v is v * 128, so a signed 16-bit word holds it.
#define ORR_ONE15 32640.0f
// Weights of the horizontal step of the sampling: 14 bits.
#define ORR_WEIGHT14 16384.0f

// orr_view is the picture that is sampled.
typedef struct {
  const uint8_t *base;
  ptrdiff_t stride;  // bytes
  int w, h;
  int wide;    // 0: 8-bit RGBX, 1: 15-bit RGBX in 16-bit words
  int inside;  // no output pixel needs reflection
  float low_x, low_y, span_x, span_y;
  float m[9];
} orr_view;

// Folds x, relative to the low border, into [0, span]: period 2*span, as grid_sample reflects.
ORR_EACH float orr_fold(float x, float span) {
  if (span <= 0.0f) return 0.0f;
  x = fabsf(x);
  float n = floorf(x / span);
  x -= n * span;
  if (n - 2.0f * floorf(0.5f * n) != 0.0f) x = span - x;
  return fminf(fmaxf(x, 0.0f), span);
}

ORR_EACH int orr_texel(const orr_view *v, ptrdiff_t at, int c) {
  const uint8_t *p = v->base + at;
  return v->wide ? ((const uint16_t *)p)[c] : p[c] << 7;
}

// The colours of output pixel (column, row), in [0, 1].
ORR_EACH void orr_sample(const orr_view *v, int column, int row, float rgb[3]) {
  const float *m = v->m;
  const int size = v->wide ? 8 : 4;
  float r = 1.0f / (m[6] * column + (m[7] * row + m[8]));
  float x = (m[0] * column + (m[1] * row + m[2])) * r;
  float y = (m[3] * column + (m[4] * row + m[5])) * r;
  if (!v->inside) {
    x = orr_fold(x, v->span_x);
    y = orr_fold(y, v->span_y);
  }
  x = fminf(fmaxf(x + v->low_x, 0.0f), (float)(v->w - 1));
  y = fminf(fmaxf(y + v->low_y, 0.0f), (float)(v->h - 1));
  int xi = (int)x, yi = (int)y;
  if (xi > v->w - 2) xi = v->w > 1 ? v->w - 2 : 0;
  if (yi > v->h - 2) yi = v->h > 1 ? v->h - 2 : 0;
  int wx = (int)lrintf((x - xi) * ORR_WEIGHT14);
  int wy = (int)lrintf((y - yi) * 32768.0f);
  if (wy > 32767) wy = 32767;
  ptrdiff_t at = yi * v->stride + (ptrdiff_t)xi * size;
  for (int c = 0; c < 3; c++) {
    int a = orr_texel(v, at, c), b = orr_texel(v, at + size, c);
    int d = orr_texel(v, at + v->stride, c), e = orr_texel(v, at + v->stride + size, c);
    a += ((d - a) * wy + 16384) >> 15;
    b += ((e - b) * wy + 16384) >> 15;
    rgb[c] = (float)(a * (16384 - wx) + b * wx) * (1.0f / (ORR_ONE15 * ORR_WEIGHT14));
  }
}

// Lighting: sigmoid((logit(x) + offset) * gain).
ORR_EACH float orr_light(float x, float offset, float gain) {
  x = fminf(fmaxf(x, 1e-7f), 1.0f - 1e-7f);
  return 1.0f / (1.0f + expf((logf((1.0f - x) / x) - offset) * gain));
}

#endif  // ORRERY_AUGMENT_PIXEL_H_
