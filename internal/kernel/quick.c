#include "quick.h"

#include <math.h>

// The largest error of a piece that is let pass, of 1.
static const float TOLERANCE = 0.7f / 255;

// Fills the curve and tells whether it is close enough: it bends most in its first and its last piece.
static int bend(orr_curve *curve, const orr_ops *ops, float offset, float gain) {
  enum { PIECES = 128, STEP = 256, CHECKS = 4 };
  float x[PIECES + 8], y[PIECES + 8];
  for (int i = 0; i < PIECES; i++) x[i] = (float)(STEP * i) / ORR_ONE15;
  x[PIECES] = 1;
  const float third = STEP / (3 * ORR_ONE15);
  float *check = x + PIECES + 1;
  check[0] = third, check[1] = 1.5f * third, check[2] = 1 - third / 2, check[3] = 1 - third;
  for (int i = PIECES + 1 + CHECKS; i < PIECES + 8; i++) x[i] = 0;
  for (int i = 0; i < PIECES + 8; i++) y[i] = x[i];
  ops->light(y, PIECES + 8, offset, gain);
  for (int i = 0; i < PIECES; i++) curve->base[i] = (int16_t)lrintf(y[i] * ORR_ONE15);
  for (int i = 0; i + 1 < PIECES; i++)
    curve->slope[i] = (int16_t)(curve->base[i + 1] - curve->base[i]);
  // The last piece ends halfway, at 1.
  const float last = 2 * (lrintf(y[PIECES] * ORR_ONE15) - curve->base[PIECES - 1]);
  if (last > INT16_MAX) return 0;
  curve->slope[PIECES - 1] = (int16_t)last;
  for (int k = 0; k < CHECKS; k++) {
    const float at = check[k] * ORR_ONE15;
    const int piece = (int)at / STEP;
    const float value =
        curve->base[piece] + curve->slope[piece] * (at - (float)(STEP * piece)) / STEP;
    if (fabsf(value / ORR_ONE15 - y[PIECES + 1 + k]) > TOLERANCE) return 0;
  }
  return 1;
}

int orr_quick_open(orr_quick *q, orr_curve *curve, const orr_worker *w, const orr_job *job,
                   const orr_view *view) {
  if (!w->quick || !job->quick || view->wide) return 0;
  // Offsets are signed 32-bit numbers there.
  if ((int64_t)view->stride * view->h > INT32_MAX) return 0;
  const int lit = job->light_offset != 0.0f || job->light_gain != 1.0f;
  if (lit && !bend(curve, w->ops, job->light_offset, job->light_gain)) return 0;
  q->view = view;
  q->curve = lit ? curve : NULL;
  q->scale = job->scale, q->shift = job->shift;
  return 1;
}
