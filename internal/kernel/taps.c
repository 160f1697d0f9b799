#include "taps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The weights must be rounded as Pillow rounds them: no fused multiply-add. GCC leaves it out in ISO
// C mode (-std=c11), Clang is told.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

static size_t round64(size_t n) { return (n + 63) & ~(size_t)63; }

// Pillow's triangle filter.
static double triangle(double x) {
  if (x < 0.0) x = -x;
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Pillow's bicubic filter: Keys' kernel with a = -0.5.
static double cubic(double x) {
  const double a = -0.5;
  if (x < 0.0) x = -x;
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

static void group(orr_taps *t) {
  for (int g = 0; g < (t->out + 3) / 4; g++) {
    for (int p = 0; p < t->pairs; p++) {
      int32_t *v = t->grouped + ((size_t)g * t->pairs + p) * 32;
      // Vectors: high of outputs (0|2), low of (0|2), high of (1|3), low of (1|3).
      for (int k = 0; k < 4; k++) {
        const int32_t *w = t->weight + (size_t)(g * 4 + k) * t->width;
        uint32_t a = (uint32_t)w[2 * p];
        uint32_t b = 2 * p + 1 < t->width ? (uint32_t)w[2 * p + 1] : 0;
        const uint32_t mask = (1u << ORR_LOW_BITS) - 1;
        uint32_t high = (a >> ORR_LOW_BITS & 0xffff) | (b >> ORR_LOW_BITS) << 16;
        uint32_t low = (a & mask) | (b & mask) << 16;
        int32_t *to = v + (k & 1) * 16 + (k >> 1) * 4;
        for (int c = 0; c < 4; c++) {
          to[c] = (int32_t)high;
          to[8 + c] = (int32_t)low;
        }
      }
    }
  }
}

int orr_taps_make(orr_taps *t, int filter, int in, int out, int grouped) {
  if (t->in == in && t->out == out && t->filter == filter && t->memory) return ORR_OK;
  double scale = (double)in / out;
  double stretch = scale < 1.0 ? 1.0 : scale;
  double support = filter == ORR_BICUBIC ? 2 * stretch : stretch;
  int width = (int)ceil(support) * 2 + 2;
  int pairs = width / 2;
  size_t n = (size_t)out + 8;
  size_t bytes_index = round64(n * 4);
  size_t bytes_weight = round64(n * width * 4);
  size_t bytes_group = (size_t)((out + 3) / 4) * pairs * 128;
  size_t need = 2 * bytes_index + bytes_weight + bytes_group;
  if (need > t->capacity) {
    free(t->memory);
    t->memory = aligned_alloc(64, need);
    t->capacity = t->memory ? need : 0;
    t->in = t->out = 0;
    if (!t->memory) return ORR_NO_MEMORY;
  }
  uint8_t *p = t->memory;
  t->first = (int32_t *)p;
  t->count = (int32_t *)(p + bytes_index);
  t->weight = (int32_t *)(p + 2 * bytes_index);
  t->grouped = (int32_t *)(p + 2 * bytes_index + bytes_weight);
  memset(t->weight, 0, bytes_weight);
  t->in = in;
  t->out = out;
  t->filter = filter;

  double *k = malloc((size_t)width * sizeof *k);
  if (!k) {
    t->in = t->out = 0;
    return ORR_NO_MEMORY;
  }
  int longest = 1;
  // First pass: where each output begins and how long it is. The weights of a short filter are
  // stored at the longest count, so it has to be known first.
  for (int o = 0; o < out; o++) {
    double centre = (o + 0.5) * scale;
    int from = (int)(centre - support + 0.5);
    int to = (int)(centre + support + 0.5);
    if (from < 0) from = 0;
    if (to > in) to = in;
    t->first[o] = from;
    t->count[o] = to - from;
    if (to - from > longest) longest = to - from;
  }
  t->pairs = (longest + 1) / 2;
  t->width = 2 * t->pairs;
  for (int o = 0; o < out; o++) {
    double centre = (o + 0.5) * scale;
    double inverse = 1.0 / stretch;
    double sum = 0.0;
    for (int i = 0; i < t->count[o]; i++) {
      double x = (i + t->first[o] - centre + 0.5) * inverse;
      k[i] = filter == ORR_BICUBIC ? cubic(x) : triangle(x);
      sum += k[i];
    }
    // The AVX2 form reads `width` inputs for every output: near the right border begin earlier, with
    // weights of zero, so that it stays inside the row.
    int earlier = t->first[o] + t->width - in;
    if (earlier < 0) earlier = 0;
    if (earlier > t->first[o]) earlier = t->first[o];
    int32_t *w = t->weight + (size_t)o * t->width + earlier;
    for (int i = 0; i < t->count[o]; i++) {
      double v = sum != 0.0 ? k[i] / sum : k[i];
      w[i] = (int32_t)((v < 0 ? -0.5 : 0.5) + v * (1 << ORR_BITS));
    }
    t->first[o] -= earlier;
    t->count[o] += earlier;
  }
  for (int o = out; o < out + 8; o++) {
    t->first[o] = t->first[out - 1];
    t->count[o] = 0;
  }
  free(k);
  if (grouped) group(t);
  return ORR_OK;
}

int orr_windows_make(orr_windows *w, int in, int out) {
  if (w->in == in && w->out == out && w->memory) return ORR_OK;
  size_t half = round64(((size_t)out + 8) * 4);
  if (2 * half > w->capacity) {
    free(w->memory);
    w->memory = aligned_alloc(64, 2 * half);
    w->capacity = w->memory ? 2 * half : 0;
    w->in = w->out = 0;
    if (!w->memory) return ORR_NO_MEMORY;
  }
  w->start = w->memory;
  w->end = (int32_t *)((uint8_t *)w->memory + half);
  w->in = in;
  w->out = out;
  w->longest = 1;
  for (int64_t o = 0; o < out + 8; o++) {
    int64_t i = o < out ? o : out - 1;
    w->start[o] = (int32_t)(i * in / out);
    w->end[o] = (int32_t)(((i + 1) * in + out - 1) / out);
    if (w->end[o] - w->start[o] > w->longest) w->longest = w->end[o] - w->start[o];
  }
  return ORR_OK;
}
