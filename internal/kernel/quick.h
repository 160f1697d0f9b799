// A shorter way from an 8-bit picture to a finished row, where the processor has AVX-512 and the job allows
// quick arithmetic: 15 bits from the blend on, and lighting as a curve of straight pieces.
#ifndef ORRERY_AUGMENT_QUICK_H_
#define ORRERY_AUGMENT_QUICK_H_

#include "worker.h"

// Lighting of a 15-bit value x: base[x >> 8] + slope[x >> 8] * (x & 255) / 256.
typedef struct {
  int16_t base[128], slope[128];
} orr_curve;

typedef struct orr_quick {
  const orr_view *view;
  const orr_curve *curve;  // NULL: the picture keeps its light
  const float *scale, *shift;
  int bytes;  // RGB pixels of 8 bits; scale and shift do not count
  int pitch;  // 0: RGB pixels; otherwise three planes so many floats apart
} orr_quick;

// orr_quick_open tells whether the job takes the quick way, and prepares it, but for what is written: bytes and
// pitch. curve is room for q->curve.
int orr_quick_open(orr_quick *q, orr_curve *curve, const orr_worker *w, const orr_job *job,
                   const orr_view *view);

// One row of n pixels: 3*n bytes or floats at out, or three planes with room for n rounded up to 16.
void orr_quick_avx512(const orr_quick *q, int row, int n, void *out);

#endif  // ORRERY_AUGMENT_QUICK_H_
