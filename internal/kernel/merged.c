#include "merged.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ONE = 1 << 15 };

// Rows to read before they are needed: more than the processor does by itself across the gaps of a
// crop, and few enough to stay in the first cache.
enum { AHEAD = 4 };

// The weights of output o over the inputs, unrounded, and the range they cover.
static void unite(const orr_taps *taps, const orr_windows *windows, int o, double *sum, int *low,
                  int *high) {
  int start = windows->start[o], end = windows->end[o];
  *low = taps->first[start];
  *high = taps->first[end - 1] + taps->count[end - 1];
  memset(sum + *low, 0, (size_t)(*high - *low) * sizeof *sum);
  for (int j = start; j < end; j++) {
    const int32_t *w = taps->weight + (size_t)j * taps->width;
    for (int i = 0; i < taps->count[j]; i++)
      sum[taps->first[j] + i] += w[i] / ((double)(1 << ORR_BITS) * (end - start));
  }
  while (*low < *high - 1 && sum[*low] < 0.5 / ONE) ++*low;
  while (*low < *high - 1 && sum[*high - 1] < 0.5 / ONE) --*high;
}

// Rounds n weights so that they add up to ONE; one alone is a hair less, to stay a 16-bit word.
static void settle(const double *sum, int n, int16_t *weight) {
  int left = ONE, most = 0;
  for (int i = 0; i < n; i++) {
    int v = (int)lrint(sum[i] * ONE);
    left -= v;
    weight[i] = (int16_t)(v < ONE ? v : ONE - 1);
    if (weight[i] > weight[most]) most = i;
  }
  if (n > 1) weight[most] = (int16_t)(weight[most] + left);
}

// Makes room for out outputs of up to width weights each, all zero.
static int make_room(orr_merged *m, int out, int width) {
  width = (width + 3) / 4 * 4;
  size_t index = round64(((size_t)out + 1) * 4), words = round64(((size_t)out + 1) * width * 2);
  size_t need = 2 * index + 5 * words;
  if (need > m->capacity) {
    free(m->memory);
    m->memory = aligned_alloc(64, need);
    m->capacity = m->memory ? need : 0;
  }
  if (!m->memory) return ORR_NO_MEMORY;
  memset(m->memory, 0, need);
  m->first = m->memory;
  m->count = (int32_t *)((uint8_t *)m->memory + index);
  m->weight = (int16_t *)((uint8_t *)m->memory + 2 * index);
  m->spread = m->weight + words / 2;
  m->out = out;
  m->width = width;
  return ORR_OK;
}

// Output o takes the inputs from low to high by the weights there.
static void set(orr_merged *m, int o, const double *weight, int low, int high) {
  m->first[o] = low;
  m->count[o] = high - low;
  int16_t *w = m->weight + (size_t)o * m->width, *s = m->spread + (size_t)o * m->width * 4;
  settle(weight + low, high - low, w);
  for (int i = 0; i < 4 * m->width; i++) s[i] = w[i / 4];
}

int orr_merged_make(orr_merged *m, orr_taps *taps, orr_windows *windows, int in, int item,
                    int out) {
  if (m->in == in && m->item == item && m->out == out && m->memory) return ORR_OK;
  m->in = 0;
  if (orr_taps_make(taps, ORR_BILINEAR, in, item, 0) || orr_windows_make(windows, item, out))
    return ORR_NO_MEMORY;
  double *sum = calloc((size_t)in, sizeof *sum);
  if (!sum) return ORR_NO_MEMORY;
  int width = 4, low, high;
  for (int o = 0; o < out; o++) {
    unite(taps, windows, o, sum, &low, &high);
    if (high - low > width) width = high - low;
  }
  if (make_room(m, out, width)) {
    free(sum);
    return ORR_NO_MEMORY;
  }
  for (int o = 0; o < out; o++) {
    unite(taps, windows, o, sum, &low, &high);
    set(m, o, sum, low, high);
  }
  free(sum);
  m->in = in;
  m->item = item;
  m->span = 0;
  return ORR_OK;
}

// The triangle of output o over the inputs, its sum 1, and the range it covers.
static void tilt(double scale, int in, int o, double *weight, int *low, int *high) {
  const double centre = (o + 0.5) * scale, support = scale < 1 ? 1 : scale;
  *low = (int)fmax(ceil(centre - support - 0.5), 0);
  *high = (int)fmin(floor(centre + support - 0.5) + 1, in);
  if (*low > in - 1) *low = in - 1;  // the span ends within the last input
  if (*high <= *low) *high = *low + 1;
  double sum = 0;
  for (int i = *low; i < *high; i++) {
    weight[i] = fmax(1 - fabs(i + 0.5 - centre) / support, 0);
    sum += weight[i];
  }
  if (!(sum > 0)) sum = weight[*low] = 1;
  for (int i = *low; i < *high; i++) weight[i] /= sum;
}

int orr_merged_span(orr_merged *m, int in, double span, int out) {
  if (m->in == in && m->span == span && m->out == out && m->memory) return ORR_OK;
  m->in = 0;
  double *weight = calloc((size_t)in, sizeof *weight);
  if (!weight) return ORR_NO_MEMORY;
  const double scale = span / out;
  if (make_room(m, out, 2 * (int)ceil(scale) + 2)) {
    free(weight);
    return ORR_NO_MEMORY;
  }
  for (int o = 0; o < out; o++) {
    int low, high;
    tilt(scale, in, o, weight, &low, &high);
    set(m, o, weight, low, high);
  }
  free(weight);
  m->in = in;
  m->item = 0;
  m->span = span;
  return ORR_OK;
}

int orr_merged_fits(int in, int out) { return in / out < ORR_MOST_SHRINK; }

int orr_merger_fits(const orr_job *job) {
  return job->filter == ORR_BILINEAR && orr_merged_fits(job->crop_w, job->area_w) &&
         orr_merged_fits(job->crop_h, job->area_h);
}

int orr_merger_open(orr_merger *m, orr_worker *w, const uint8_t *source, ptrdiff_t stride,
                    const orr_job *job, orr_view *view) {
  if (orr_merged_make(&w->wide, &w->down, &w->rows, job->crop_w, job->item_w, job->area_w) ||
      orr_merged_make(&w->tall, &w->down, &w->rows, job->crop_h, job->item_h, job->area_h))
    return ORR_NO_MEMORY;
  m->source = source;
  m->stride = stride;
  m->pitch = round64((size_t)job->area_w * 8 + 8) + PAD;
  m->slots = w->tall.width;
  m->next = m->made = 0;
  m->picture_pitch = m->pitch;
  m->picture = reserve(&w->picture, m->picture_pitch * job->area_h + PAD);
  uint8_t *ring = reserve(&w->strip, m->pitch * m->slots);
  m->line = (uint16_t *)reserve(&w->sums, ((size_t)job->crop_w + 4 + w->wide.width) * 8 + PAD);
  m->list = (const uint16_t **)reserve(&w->lists, sizeof(uint16_t *) * m->slots);
  if (!m->picture || !ring || !m->line || !m->list) return ORR_NO_MEMORY;
  m->w = w;
  view->base = m->picture;
  view->stride = (ptrdiff_t)m->picture_pitch;
  view->w = job->area_w;
  view->h = job->area_h;
  view->wide = 1;
  return ORR_OK;
}

void orr_merger_advance(orr_merger *m, int rows) {
  const orr_merged *tall = &m->w->tall, *wide = &m->w->wide;
  uint8_t *ring = m->w->strip.p;
  for (; m->made < rows; m->made++) {
    int first = tall->first[m->made], n = tall->count[m->made];
    if (m->next < first) m->next = first;
    for (; m->next < first + n; m->next++)
      m->w->ops->across(m->source + m->stride * m->next, AHEAD * m->stride, wide, m->line,
                        (uint16_t *)(ring + m->pitch * (m->next % m->slots)));
    for (int i = 0; i < n; i++)
      m->list[i] = (const uint16_t *)(ring + m->pitch * ((first + i) % m->slots));
    m->w->ops->down(m->list, tall->weight + (size_t)m->made * tall->width, n, 4 * wide->out,
                    (uint16_t *)(m->picture + m->picture_pitch * m->made));
  }
}
