#include "kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "merged.h"
#include "ops.h"
#include "planes.h"
#include "quick.h"
#include "taps.h"
#include "worker.h"

int orr_best_form(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return ORR_SCALAR;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl")
             ? ORR_AVX512
             : ORR_AVX2;
#else
  return ORR_SCALAR;
#endif
}

orr_worker *orr_worker_new(int form) {
  orr_worker *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->ops = &orr_scalar_ops;
  w->planes_ops = &orr_scalar_planes;
  const int best = orr_best_form();
  if (form > best) form = best;
#if defined(__x86_64__)
  if (form >= ORR_AVX2) {
    w->ops = &orr_avx2_ops;
    w->planes_ops = &orr_avx2_planes;
    w->grouped = 1;
  }
  if (form >= ORR_AVX512) w->quick = orr_quick_avx512;
#endif
  return w;
}

void orr_worker_free(orr_worker *w) {
  if (!w) return;
  free(w->across.memory);
  free(w->down.memory);
  free(w->columns.memory);
  free(w->rows.memory);
  free(w->wide.memory);
  free(w->tall.memory);
  free(w->chroma_wide.memory);
  free(w->chroma_tall.memory);
  free(w->strip.p);
  free(w->items.p);
  free(w->sums.p);
  free(w->picture.p);
  free(w->planes.p);
  free(w->lists.p);
  free(w);
}

// The resize as a stream of rows: row(y) may be asked for in rising order only.
typedef struct {
  orr_worker *w;
  const uint8_t *source;  // top left of the crop
  ptrdiff_t stride;
  size_t pitch;        // bytes between rows of the strip
  int slots;           // rows in the strip
  int next;            // first source row not yet in the strip
  int vertical_first;  // the order of the passes
  const uint8_t **list;
} stream;

static int stream_open(stream *s, orr_worker *w, const uint8_t *source, ptrdiff_t stride,
                       const orr_job *job) {
  if (orr_taps_make(&w->across, job->filter, job->crop_w, job->item_w, w->grouped) ||
      orr_taps_make(&w->down, job->filter, job->crop_h, job->item_h, 0))
    return ORR_NO_MEMORY;
  s->w = w;
  s->source = source;
  s->stride = stride;
  // Pillow 13 does the vertical pass first when the height shrinks by more than twice what the
  // width does; before, the horizontal one always came first (up to one level of difference).
  s->vertical_first =
      job->item_h < job->crop_h && job->crop_h - job->item_h > 2 * (job->crop_w - job->item_w);
  s->pitch = round64((size_t)(s->vertical_first ? job->crop_w : job->item_w) * 4) + PAD;
  s->slots = w->down.width;
  s->next = 0;
  if (!reserve(&w->strip, s->pitch * s->slots)) return ORR_NO_MEMORY;
  s->list = (const uint8_t **)reserve(&w->lists, sizeof(uint8_t *) * s->slots);
  return s->list ? ORR_OK : ORR_NO_MEMORY;
}

static void stream_row(stream *s, int y, uint8_t *out) {
  const orr_taps *down = &s->w->down;
  int first = down->first[y], n = down->count[y];
  const int32_t *weight = down->weight + (size_t)y * down->width;
  if (s->vertical_first) {
    for (int i = 0; i < n; i++) s->list[i] = s->source + s->stride * (first + i);
    s->w->ops->vertical(s->list, weight, n, s->w->across.in * 4, s->w->strip.p);
    s->w->ops->horizontal(s->w->strip.p, &s->w->across, out);
    return;
  }
  if (s->next < first) s->next = first;
  for (; s->next < first + n; s->next++) {
    s->w->ops->horizontal(s->source + s->stride * s->next, &s->w->across,
                          s->w->strip.p + s->pitch * (s->next % s->slots));
  }
  for (int i = 0; i < n; i++) s->list[i] = s->w->strip.p + s->pitch * ((first + i) % s->slots);
  s->w->ops->vertical(s->list, weight, n, s->w->across.out * 4, out);
}

// Resizes the crop to rows of `pitch` bytes at `to` (8 bits), behind which 64 more may be written.
static int resize(orr_worker *w, const uint8_t *source, ptrdiff_t stride, const orr_job *job,
                  uint8_t *to, size_t pitch) {
  stream s;
  if (stream_open(&s, w, source, stride, job)) return ORR_NO_MEMORY;
  for (int y = 0; y < job->item_h; y++) stream_row(&s, y, to + pitch * y);
  return ORR_OK;
}

// Resizes the crop into w->items, which becomes the view.
static int item_step(orr_worker *w, const uint8_t *source, ptrdiff_t stride, const orr_job *job,
                     orr_view *view) {
  size_t pitch = round64((size_t)job->item_w * 4) + PAD;
  if (!reserve(&w->items, pitch * job->item_h + PAD)) return ORR_NO_MEMORY;
  view->base = w->items.p;
  view->stride = (ptrdiff_t)pitch;
  view->w = job->item_w;
  view->h = job->item_h;
  view->wide = 0;
  return resize(w, source, stride, job, w->items.p, pitch);
}

// Area step over the view, into w->picture (15 bits), which becomes the view.
static int area_step(orr_worker *w, const orr_job *job, orr_view *view) {
  if (orr_windows_make(&w->columns, view->w, job->area_w) ||
      orr_windows_make(&w->rows, view->h, job->area_h))
    return ORR_NO_MEMORY;
  size_t pitch = round64((size_t)job->area_w * 8) + PAD;
  const uint8_t **list =
      (const uint8_t **)reserve(&w->lists, sizeof(uint8_t *) * (size_t)w->rows.longest);
  if (!list || !reserve(&w->sums, (round64((size_t)view->w * 4) + PAD) * 4) ||
      !reserve(&w->picture, pitch * job->area_h + PAD))
    return ORR_NO_MEMORY;
  for (int y = 0; y < job->area_h; y++) {
    int first = w->rows.start[y], n = w->rows.end[y] - first;
    for (int i = 0; i < n; i++) list[i] = view->base + view->stride * (first + i);
    w->ops->area(list, n, &w->columns, w->sums.p, (uint16_t *)(w->picture.p + pitch * y));
  }
  view->base = w->picture.p;
  view->stride = (ptrdiff_t)pitch;
  view->w = job->area_w;
  view->h = job->area_h;
  view->wide = 1;
  return ORR_OK;
}

// A projective map whose denominator is positive at the corners has its extreme coordinates there.
int orr_stays_inside(const orr_view *v, int out_w, int out_h) {
  const float *m = v->m;
  for (int k = 0; k < 4; k++) {
    float j = (float)(k & 1 ? out_w - 1 : 0), i = (float)(k & 2 ? out_h - 1 : 0);
    float d = m[6] * j + m[7] * i + m[8];
    if (!(d > 0)) return 0;
    float x = (m[0] * j + m[1] * i + m[2]) / d, y = (m[3] * j + m[4] * i + m[5]) / d;
    if (!(x >= 0 && x <= v->span_x && y >= 0 && y <= v->span_y)) return 0;
  }
  return 1;
}

// How many rows of the picture, from the top, the output row reads: all but what lies below its ends
// and below their reflection at the upper border.
static int rows_needed(const orr_view *v, int row, int n) {
  const float *m = v->m;
  float low = INFINITY, high = -INFINITY;
  for (int k = 0; k < 2; k++) {
    float j = (float)(k * (n - 1)), i = (float)row;
    float d = m[6] * j + m[7] * i + m[8];
    if (!(d > 0)) return v->h;
    float y = (m[3] * j + m[4] * i + m[5]) / d;
    low = fminf(low, y);
    high = fmaxf(high, y);
  }
  if (!(low > -v->span_y && high < v->span_y)) return v->h;
  float last = fmaxf(high, -low) + v->low_y;
  return last + 3 < (float)v->h ? (int)last + 3 : v->h;
}

// The distance in bytes between what this row reads and what the row AHEAD below will read, taken
// in the middle. A tilted picture is read in steps no hardware prefetcher follows, and a wrong guess
// costs nothing but the time of the prefetch.
enum { AHEAD = 8 };
ptrdiff_t orr_rows_ahead(const orr_view *v, int row, int n) {
  const float *m = v->m;
  float j = 0.5f * (float)n, i0 = (float)row, i1 = (float)(row + AHEAD);
  float d0 = m[6] * j + m[7] * i0 + m[8], d1 = m[6] * j + m[7] * i1 + m[8];
  if (!(d0 > 0.0f && d1 > 0.0f)) return 0;
  float x = (m[0] * j + m[1] * i1 + m[2]) / d1 - (m[0] * j + m[1] * i0 + m[2]) / d0;
  float y = (m[3] * j + m[4] * i1 + m[5]) / d1 - (m[3] * j + m[4] * i0 + m[5]) / d0;
  if (!(x > -1e6f && x < 1e6f && y > -1e6f && y < 1e6f)) return 0;
  return (ptrdiff_t)y * v->stride + (ptrdiff_t)x * 4;
}

uint16_t orr_bfloat16(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

static uint8_t byte(float f) {
  f = f * 255.0f + 0.5f;
  return f <= 0 ? 0 : f >= 255 ? 255 : (uint8_t)f;
}

// Writes one finished row of planes where it belongs.
static void emit(const orr_worker *w, const orr_job *job, int row, const float *planes, int pitch,
                 void *out) {
  size_t n = (size_t)job->out_w;
  for (int c = 0; c < 3; c++) {
    if (job->layout == ORR_NHWC && job->dtype == ORR_F32) {
      w->ops->interleave(planes, pitch, (int)n, (float *)out + 3 * n * row);
      return;
    }
    const float *p = planes + (size_t)c * pitch;
    size_t at = job->layout == ORR_NHWC ? 3 * n * row + c : ((size_t)c * job->out_h + row) * n;
    size_t step = job->layout == ORR_NHWC ? 3 : 1;
    if (job->dtype == ORR_F32) {
      memcpy((float *)out + at, p, n * sizeof *p);
    } else if (job->dtype == ORR_BF16) {
      for (size_t j = 0; j < n; j++) ((uint16_t *)out)[at + j * step] = orr_bfloat16(p[j]);
    } else {
      for (size_t j = 0; j < n; j++) ((uint8_t *)out)[at + j * step] = byte(p[j]);
    }
  }
}

int orr_valid(int32_t width, int32_t height, const orr_job *job) {
  return width > 0 && height > 0 && job->crop_x >= 0 && job->crop_y >= 0 && job->crop_w > 0 &&
         job->crop_h > 0 && job->crop_w <= width - job->crop_x &&
         job->crop_h <= height - job->crop_y && (job->item_w > 0) == (job->item_h > 0) &&
         (job->area_w > 0) == (job->area_h > 0) && job->item_w >= 0 && job->area_w >= 0 &&
         (job->filter == ORR_BILINEAR || job->filter == ORR_BICUBIC);
}

// Whether the job leaves values as they are.
static int plain(const orr_job *job) {
  for (int c = 0; c < 3; c++)
    if (job->scale[c] != 1.0f || job->shift[c] != 0.0f) return 0;
  return 1;
}

int orr_run(orr_worker *w, const uint8_t *pix, int32_t width, int32_t height, const orr_job *job,
            void *out) {
  if (!orr_valid(width, height, job) || job->out_w <= 0 || job->out_h <= 0) return ORR_BAD_JOB;
  ptrdiff_t stride = 4 * (ptrdiff_t)width;
  const uint8_t *source = pix + stride * job->crop_y + 4 * (ptrdiff_t)job->crop_x;
  orr_view view = {.base = source, .stride = stride, .w = job->crop_w, .h = job->crop_h};
  int rc = ORR_OK;
  orr_merger merger = {0};
  if (job->area_w > 0 && job->item_w > 0 && orr_merger_fits(job)) {
    rc = orr_merger_open(&merger, w, source, stride, job, &view);
  } else {
    if (job->item_w > 0) rc = item_step(w, source, stride, job, &view);
    if (!rc && job->area_w > 0) rc = area_step(w, job, &view);
  }
  if (rc) return rc;
  if (view.h == 1) view.stride = 0;
  view.low_x = job->low_x;
  view.low_y = job->low_y;
  view.span_x = job->span_x;
  view.span_y = job->span_y;
  memcpy(view.m, job->homography, sizeof view.m);
  view.inside = orr_stays_inside(&view, job->out_w, job->out_h);

  int n = job->out_w, pitch = (int)round64((size_t)n + 16);
  float *planes = (float *)reserve(&w->planes, sizeof(float) * 3 * pitch);
  if (!planes) return ORR_NO_MEMORY;
  orr_quick quick;
  orr_curve curve;
  if (orr_quick_open(&quick, &curve, w, job, &view)) {
    const int pixels = job->layout == ORR_NHWC;
    quick.bytes = pixels && job->dtype == ORR_U8 && plain(job);
    const int whole = quick.bytes || (pixels && job->dtype == ORR_F32);
    const size_t row_bytes = 3 * (size_t)n * (quick.bytes ? 1 : sizeof(float));
    quick.pitch = whole ? 0 : pitch;
    for (int row = 0; row < job->out_h; row++) {
      w->quick(&quick, row, n, whole ? (uint8_t *)out + row_bytes * row : (void *)planes);
      if (!whole) emit(w, job, row, planes, pitch, out);
    }
    return ORR_OK;
  }
  int lit = job->light_offset != 0.0f || job->light_gain != 1.0f;
  for (int row = 0; row < job->out_h; row++) {
    if (merger.w) orr_merger_advance(&merger, rows_needed(&view, row, n));
    w->ops->sample(&view, row, n, planes, pitch);
    for (int c = 0; c < 3; c++) {
      float *p = planes + (size_t)c * pitch;
      if (lit) w->ops->light(p, n, job->light_offset, job->light_gain);
      if (job->scale[c] != 1.0f || job->shift[c] != 0.0f)
        w->ops->affine(p, n, job->scale[c], job->shift[c]);
    }
    emit(w, job, row, planes, pitch, out);
  }
  return ORR_OK;
}

void orr_logit(orr_worker *w, float *v, int64_t n) { w->ops->logit(v, (int)n); }

void orr_sigmoid(orr_worker *w, float *v, int64_t n) { w->ops->sigmoid(v, (int)n); }

int orr_finish(orr_worker *w, const float *planes, const orr_job *job, void *out) {
  if (job->out_w <= 0 || job->out_h <= 0) return ORR_BAD_JOB;
  size_t n = (size_t)job->out_w, plane = n * job->out_h;
  int pitch = (int)round64(n + 8);
  float *row = (float *)reserve(&w->planes, sizeof(float) * 3 * pitch);
  if (!row) return ORR_NO_MEMORY;
  for (int y = 0; y < job->out_h; y++) {
    for (int c = 0; c < 3; c++) {
      memcpy(row + (size_t)c * pitch, planes + plane * c + n * y, n * sizeof *row);
      if (job->scale[c] != 1.0f || job->shift[c] != 0.0f)
        w->ops->affine(row + (size_t)c * pitch, (int)n, job->scale[c], job->shift[c]);
    }
    emit(w, job, y, row, pitch, out);
  }
  return ORR_OK;
}

// The resize in 15 bits: the merged filter without an area step of its own.
static int resize_quick(orr_worker *w, const uint8_t *source, ptrdiff_t stride, const orr_job *job,
                        uint8_t *out) {
  orr_merger merger = {0};
  orr_view view;
  int rc = orr_merger_open(&merger, w, source, stride, job, &view);
  if (rc) return rc;
  orr_merger_advance(&merger, job->area_h);
  for (int y = 0; y < job->area_h; y++)
    w->ops->narrow((const uint16_t *)(view.base + view.stride * y), 4 * job->area_w,
                   out + 4 * (size_t)job->area_w * y);
  return ORR_OK;
}

int orr_resize(orr_worker *w, const uint8_t *pix, int32_t width, int32_t height, const orr_job *job,
               uint8_t *out) {
  if (!orr_valid(width, height, job) || job->item_w <= 0) return ORR_BAD_JOB;
  ptrdiff_t stride = 4 * (ptrdiff_t)width;
  const uint8_t *source = pix + stride * job->crop_y + 4 * (ptrdiff_t)job->crop_x;
  orr_job whole = *job;
  whole.area_w = job->item_w, whole.area_h = job->item_h;
  if (job->quick && orr_merger_fits(&whole)) return resize_quick(w, source, stride, &whole, out);
  return resize(w, source, stride, job, out, 4 * (size_t)job->item_w);
}
