// The portable form of every stage, and the reference the AVX2 form is tested against.
#include <math.h>

#include "ops.h"

static uint8_t to_byte(int64_t sum) {
  int64_t v = sum >> ORR_BITS;
  return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

static void horizontal(const uint8_t *row, const orr_taps *t, uint8_t *out) {
  for (int o = 0; o < t->out; o++) {
    const uint8_t *p = row + 4 * (size_t)t->first[o];
    const int32_t *w = t->weight + (size_t)o * t->width;
    int32_t sum[3] = {1 << (ORR_BITS - 1), 1 << (ORR_BITS - 1), 1 << (ORR_BITS - 1)};
    for (int i = 0; i < t->count[o]; i++, p += 4) {
      for (int c = 0; c < 3; c++) sum[c] += p[c] * w[i];
    }
    for (int c = 0; c < 3; c++) out[4 * o + c] = to_byte(sum[c]);
    out[4 * o + 3] = 255;
  }
}

static void vertical(const uint8_t *const *rows, const int32_t *weight, int n, int bytes,
                     uint8_t *out) {
  for (int b = 0; b < bytes; b++) {
    int32_t sum = 1 << (ORR_BITS - 1);
    for (int i = 0; i < n; i++) sum += rows[i][b] * weight[i];
    out[b] = to_byte(sum);
  }
}

static void area(const uint8_t *const *rows, int n, const orr_windows *w, void *scratch,
                 uint16_t *out) {
  uint32_t *sums = scratch;
  for (int b = 0; b < w->in * 4; b++) {
    uint32_t s = 0;
    for (int i = 0; i < n; i++) s += rows[i][b];
    sums[b] = s;
  }
  for (int o = 0; o < w->out; o++) {
    float scale = 128.0f / (float)(n * (w->end[o] - w->start[o]));
    for (int c = 0; c < 4; c++) {
      uint64_t s = 0;
      for (int x = w->start[o]; x < w->end[o]; x++) s += sums[4 * x + c];
      out[4 * o + c] = (uint16_t)lrintf((float)s * scale);
    }
  }
}

static void across(const uint8_t *row, ptrdiff_t ahead, const orr_merged *m, uint16_t *line,
                   uint16_t *out) {
  (void)ahead;
  for (int i = 0; i < 4 * m->in; i++) line[i] = (uint16_t)(row[i] << 7);
  for (int o = 0; o < m->out; o++) {
    const uint16_t *p = line + 4 * (size_t)m->first[o];
    const int16_t *w = m->weight + (size_t)o * m->width;
    for (int c = 0; c < 4; c++) {
      int sum = 0;
      for (int i = 0; i < m->count[o]; i++) sum += orr_high15(p[4 * i + c], w[i]);
      out[4 * o + c] = (uint16_t)sum;
    }
  }
}

static void down(const uint16_t *const *rows, const int16_t *weight, int n, int words,
                 uint16_t *out) {
  for (int x = 0; x < words; x++) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += orr_high15(rows[i][x], weight[i]);
    out[x] = (uint16_t)(sum < ORR_TOP15 ? sum : ORR_TOP15);
  }
}

static void narrow(const uint16_t *words, int n, uint8_t *out) {
  for (int i = 0; i < n; i++) out[i] = (uint8_t)((words[i] + 64) >> 7);
}

static void sample(const orr_view *v, int row, int n, float *planes, int pitch) {
  for (int j = 0; j < n; j++) {
    float rgb[3];
    orr_sample(v, j, row, rgb);
    for (int c = 0; c < 3; c++) planes[c * pitch + j] = rgb[c];
  }
}

static void light(float *v, int n, float offset, float gain) {
  for (int i = 0; i < n; i++) v[i] = orr_light(v[i], offset, gain);
}

static void logit(float *v, int n) {
  for (int i = 0; i < n; i++) {
    float x = fminf(fmaxf(v[i], 1e-7f), 1.0f - 1e-7f);
    v[i] = -logf((1.0f - x) / x);
  }
}

static void sigmoid(float *v, int n) {
  for (int i = 0; i < n; i++) v[i] = 1.0f / (1.0f + expf(-v[i]));
}

static void affine(float *v, int n, float scale, float shift) {
  for (int i = 0; i < n; i++) v[i] = v[i] * scale + shift;
}

static void interleave(const float *planes, int pitch, int n, float *out) {
  for (int j = 0; j < n; j++) {
    for (int c = 0; c < 3; c++) out[3 * j + c] = planes[c * pitch + j];
  }
}

const orr_ops orr_scalar_ops = {horizontal, vertical, area,  across,  down,   narrow,
                                sample,     light,    logit, sigmoid, affine, interleave};
