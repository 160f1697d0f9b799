// Batches from pictures that all lie in one block of memory, on the GPU (gather.cu) or, to the same
// arithmetic, on the CPU (gather.c): gather, homography, lighting, normalisation and cast in one go.
#ifndef ORRERY_AUGMENT_GATHER_H_
#define ORRERY_AUGMENT_GATHER_H_

#include "kernel.h"
#include "pixel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ORR_F16 = 3 };  // a further dtype, which only these make

// orr_shot is one sample: a view into the block, and its lighting.
typedef struct {
  int64_t offset;  // bytes from the block's beginning to the view's first texel
  int32_t stride;  // bytes
  int32_t w, h, inside;
  float low_x, low_y, span_x, span_y;
  float m[9];
  float light_offset, light_gain;
} orr_shot;

// orr_gather is what the samples of a batch share.
typedef struct {
  int32_t n, out_w, out_h;
  int32_t layout, dtype;
  float scale[3], shift[3];
} orr_gather;

// orr_shot_of plans a job on the width*height RGBX pixels that begin offset bytes into the block.
// ORR_BAD_JOB: it wants a resize or area step, or its crop lies outside.
int orr_shot_of(const orr_job *job, int32_t width, int32_t height, int64_t offset, orr_shot *shot);

// orr_gather_cpu makes a batch. block has 64 readable bytes behind its pictures; out holds
// n*3*out_w*out_h elements.
int orr_gather_cpu(const uint8_t *block, const orr_shot *shots, const orr_gather *g, void *out);

// orr_gather_cuda is the same in the memory of a GPU, in libcgotorch_cuda.so; stream is a cudaStream_t.
// It returns a cudaError_t and waits for nothing.
typedef int (*orr_gather_cuda_function)(const uint8_t *block, const orr_shot *shots,
                                        const orr_gather *g, void *out, void *stream);
int orr_gather_cuda(const uint8_t *block, const orr_shot *shots, const orr_gather *g, void *out,
                    void *stream);
int orr_call_gather_cuda(void *function, const uint8_t *block, const orr_shot *shots,
                         const orr_gather *g, void *out, void *stream);

// The finished colours of output pixel i of sample s, and where they go.
ORR_EACH void orr_gather_pixel(const uint8_t *block, const orr_shot *s, const orr_gather *g, int i,
                               float rgb[3]) {
  orr_view v;
  v.base = block + s->offset, v.stride = s->stride, v.w = s->w, v.h = s->h;
  v.wide = 0, v.inside = s->inside;
  v.low_x = s->low_x, v.low_y = s->low_y, v.span_x = s->span_x, v.span_y = s->span_y;
  for (int k = 0; k < 9; k++) v.m[k] = s->m[k];
  orr_sample(&v, i % g->out_w, i / g->out_w, rgb);
  const int lit = s->light_offset != 0.0f || s->light_gain != 1.0f;
  for (int c = 0; c < 3; c++) {
    if (lit) rgb[c] = orr_light(rgb[c], s->light_offset, s->light_gain);
    rgb[c] = rgb[c] * g->scale[c] + g->shift[c];
  }
}

ORR_EACH int64_t orr_gather_at(const orr_gather *g, int64_t sample, int i, int c) {
  const int64_t pixels = (int64_t)g->out_w * g->out_h;
  return g->layout == ORR_NHWC ? 3 * (sample * pixels + i) + c : (3 * sample + c) * pixels + i;
}

#ifdef __cplusplus
}
#endif

#endif  // ORRERY_AUGMENT_GATHER_H_
