#include "gather.h"

#include <string.h>

#include "worker.h"

int orr_shot_of(const orr_job *job, int32_t width, int32_t height, int64_t offset, orr_shot *shot) {
  if (!orr_valid(width, height, job) || job->out_w <= 0 || job->out_h <= 0 || job->item_w > 0 ||
      job->area_w > 0)
    return ORR_BAD_JOB;
  memset(shot, 0, sizeof *shot);
  shot->offset = offset + 4 * ((int64_t)width * job->crop_y + job->crop_x);
  shot->stride = job->crop_h == 1 ? 0 : 4 * width;
  shot->w = job->crop_w, shot->h = job->crop_h;
  shot->low_x = job->low_x, shot->low_y = job->low_y;
  shot->span_x = job->span_x, shot->span_y = job->span_y;
  memcpy(shot->m, job->homography, sizeof shot->m);
  shot->light_offset = job->light_offset, shot->light_gain = job->light_gain;
  orr_view v = {.span_x = shot->span_x, .span_y = shot->span_y};
  memcpy(v.m, shot->m, sizeof v.m);
  shot->inside = orr_stays_inside(&v, job->out_w, job->out_h);
  return ORR_OK;
}

// float16, rounded to the nearest, ties to even.
static uint16_t float16(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  const uint32_t sign = u >> 16 & 0x8000;
  u &= 0x7fffffff;
  if (u >= 0x47800000) return (uint16_t)(sign | (u > 0x7f800000 ? 0x7e00 : 0x7c00));
  if (u < 0x38800000) {  // a subnormal, or nothing: let the float unit round
    float tiny;
    memcpy(&tiny, &u, 4);
    tiny += 0.5f;
    memcpy(&u, &tiny, 4);
    return (uint16_t)(sign | (u - 0x3f000000));
  }
  return (uint16_t)(sign | ((u + 0xc8000fff + (u >> 13 & 1)) >> 13));
}

int orr_gather_cpu(const uint8_t *block, const orr_shot *shots, const orr_gather *g, void *out) {
  if (g->n < 0 || g->out_w <= 0 || g->out_h <= 0) return ORR_BAD_JOB;
  const int pixels = g->out_w * g->out_h;
  for (int32_t sample = 0; sample < g->n; sample++) {
    for (int i = 0; i < pixels; i++) {
      float rgb[3];
      orr_gather_pixel(block, &shots[sample], g, i, rgb);
      for (int c = 0; c < 3; c++) {
        const int64_t at = orr_gather_at(g, sample, i, c);
        if (g->dtype == ORR_F32)
          ((float *)out)[at] = rgb[c];
        else if (g->dtype == ORR_BF16)
          ((uint16_t *)out)[at] = orr_bfloat16(rgb[c]);
        else if (g->dtype == ORR_F16)
          ((uint16_t *)out)[at] = float16(rgb[c]);
        else
          return ORR_BAD_JOB;
      }
    }
  }
  return ORR_OK;
}

int orr_call_gather_cuda(void *function, const uint8_t *block, const orr_shot *shots,
                         const orr_gather *g, void *out, void *stream) {
  return ((orr_gather_cuda_function)function)(block, shots, g, out, stream);
}
