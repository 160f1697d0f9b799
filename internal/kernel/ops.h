// What the scalar and the AVX2 files give to the driver.
#ifndef ORRERY_AUGMENT_OPS_H_
#define ORRERY_AUGMENT_OPS_H_

#include "kernel.h"
#include "pixel.h"

// ORR_ONE15 as a whole number.
#define ORR_TOP15 32640
// Pillow's fixed point: 22 bits after the binary point.
#define ORR_BITS 22
// A 22-bit weight is split into high * 2^11 + low so that 16-bit multiply-adds keep it exact.
#define ORR_LOW_BITS 11

// orr_taps are the weights of one axis of the resize: output o takes count[o] inputs from first[o].
typedef struct {
  int in, out;       // sizes of the axis
  int filter;        // ORR_BILINEAR or ORR_BICUBIC
  int width;         // weights per output (the longest count)
  int pairs;         // (width + 1) / 2
  int32_t *first;    // out + 8 entries (the last ones repeat)
  int32_t *count;    // the same
  int32_t *weight;   // (out + 8) * width, zero where unused
  int32_t *grouped;  // AVX2 form: for 4 outputs and a pair of taps, 4 vectors of 8
  size_t capacity;   // bytes behind these
  void *memory;
} orr_taps;

// orr_windows are the adaptive average windows of one axis: output o covers [start[o], end[o]).
typedef struct {
  int in, out, longest;
  int32_t *start, *end;
  size_t capacity;
  void *memory;
} orr_windows;

// Of more inputs than this to one output, the sum of rounded products might leave a word.
enum { ORR_MOST_SHRINK = 40 };

// orr_merged is one axis of the resize and the area step together: output o takes count[o] inputs
// from first[o], weights in 15 bits.
typedef struct {
  int in, item, out;
  double span;      // of the inputs; 0: all, through item
  int width;        // weights per output, a multiple of 4
  int32_t *first;   // out + 1 entries
  int32_t *count;   // the same
  int16_t *weight;  // (out + 1) * width, zero where unused
  int16_t *spread;  // each weight four times, for the channels of a texel
  size_t capacity;  // bytes behind these
  void *memory;
} orr_merged;

// (a*b + half) >> 15, as the processor's rounding multiplication of words.
static inline int orr_high15(int a, int b) { return (a * b + (1 << 14)) >> 15; }

typedef struct {
  // One source row to one row of t->out pixels.
  void (*horizontal)(const uint8_t *row, const orr_taps *t, uint8_t *out);
  // Weighted sum of n rows of `bytes` bytes (buffers padded to 64).
  void (*vertical)(const uint8_t *const *rows, const int32_t *weight, int n, int bytes,
                   uint8_t *out);
  // Average of n rows over the windows; sums is scratch for w->in * 4 words of 32 bits.
  void (*area)(const uint8_t *const *rows, int n, const orr_windows *w, void *sums, uint16_t *out);
  // m->in texels of a source row to 15 bits, in line, then to m->out texels in out. line has room for
  // m->width more texels, which are zero, and out for one more. What lies `ahead` bytes further is
  // read soon.
  void (*across)(const uint8_t *row, ptrdiff_t ahead, const orr_merged *m, uint16_t *line,
                 uint16_t *out);
  // Weighted sum of n rows of 15-bit texels, `words` words each (rows padded to 64 bytes).
  void (*down)(const uint16_t *const *rows, const int16_t *weight, int n, int words, uint16_t *out);
  // 15-bit words to bytes, the nearest (out has 64 bytes of room behind it).
  void (*narrow)(const uint16_t *words, int n, uint8_t *out);
  // One output row into three planes of n floats in [0, 1] (planes padded to 8).
  void (*sample)(const orr_view *v, int row, int n, float *planes, int pitch);
  // Lighting in place over n floats (padded to 8).
  void (*light)(float *v, int n, float offset, float gain);
  // logit(x) in place, x clamped to [1e-7, 1 - 1e-7], and its inverse (n floats, padded to 8).
  void (*logit)(float *v, int n);
  void (*sigmoid)(float *v, int n);
  // x*scale + shift in place over n floats (padded to 8).
  void (*affine)(float *v, int n, float scale, float shift);
  // Three planes to n interleaved pixels, float32. Writes exactly 3*n floats.
  void (*interleave)(const float *planes, int pitch, int n, float *out);
} orr_ops;

// orr_rows_ahead is how many bytes further a row some way below reads, for prefetching.
ptrdiff_t orr_rows_ahead(const orr_view *v, int row, int n);

extern const orr_ops orr_scalar_ops;
#if defined(__x86_64__)
extern const orr_ops orr_avx2_ops;
#endif

#endif  // ORRERY_AUGMENT_OPS_H_
