#include "planes.h"

#include "merged.h"
#include "worker.h"

// The room that a plane's rows and columns take, in words.
static size_t rows_pitch(const orr_plane *p) { return round64((size_t)p->width * 2) / 2; }

static int within(double span, int n) { return span > n - 1 && span <= n; }

// Makes a strip's columns of one plane: the result's rows from y on.
static void make_columns(orr_worker *w, const orr_plane *p, const orr_merged *tall, int y,
                         const uint8_t **list, uint16_t *rows, uint16_t *columns) {
  const size_t pitch = rows_pitch(p);
  for (int r = 0; r < ORR_STRIP; r++) {
    const int o = y + r < tall->out ? y + r : tall->out - 1;  // rows below the last are not written
    for (int i = 0; i < tall->count[o]; i++)
      list[i] = p->pix + (size_t)p->pitch * (size_t)(tall->first[o] + i);
    w->planes_ops->lower(list, tall->weight + (size_t)o * tall->width, tall->count[o], p->width,
                         rows + pitch * r);
  }
  w->planes_ops->turn(rows, pitch, p->width, columns);
}

int orr_scale_planes(orr_worker *w, const orr_plane plane[3], int32_t out_w, int32_t out_h,
                     uint8_t *out) {
  const orr_plane *luma = &plane[0], *chroma = &plane[1];
  if (out_w <= 0 || out_h <= 0 || plane[2].width != chroma->width ||
      plane[2].height != chroma->height || plane[2].span_w != chroma->span_w ||
      plane[2].span_h != chroma->span_h)
    return ORR_BAD_JOB;
  for (int c = 0; c < 3; c++)
    if (plane[c].width <= 0 || plane[c].height <= 0 || plane[c].pitch < plane[c].width ||
        !within(plane[c].span_w, plane[c].width) || !within(plane[c].span_h, plane[c].height) ||
        !orr_merged_fits(plane[c].width, out_w) || !orr_merged_fits(plane[c].height, out_h))
      return ORR_BAD_JOB;
  if (orr_merged_span(&w->wide, luma->width, luma->span_w, out_w) ||
      orr_merged_span(&w->tall, luma->height, luma->span_h, out_h) ||
      orr_merged_span(&w->chroma_wide, chroma->width, chroma->span_w, out_w) ||
      orr_merged_span(&w->chroma_tall, chroma->height, chroma->span_h, out_h))
    return ORR_NO_MEMORY;
  const size_t y_pitch = rows_pitch(luma), c_pitch = rows_pitch(chroma);
  const size_t most = y_pitch > c_pitch ? y_pitch : c_pitch;
  const int slots = w->tall.width > w->chroma_tall.width ? w->tall.width : w->chroma_tall.width;
  const uint8_t **list = (const uint8_t **)reserve(&w->lists, sizeof(uint8_t *) * (size_t)slots);
  uint16_t *rows = (uint16_t *)reserve(&w->strip, ORR_STRIP * 2 * most);
  uint16_t *turned = (uint16_t *)reserve(&w->sums, ORR_STRIP * 2 * (y_pitch + 2 * c_pitch));
  if (!list || !rows || !turned) return ORR_NO_MEMORY;
  uint16_t *columns[3] = {turned, turned + ORR_STRIP * y_pitch,
                          turned + ORR_STRIP * (y_pitch + c_pitch)};
  const size_t pitch = 4 * (size_t)out_w;
  for (int y = 0; y < out_h; y += ORR_STRIP) {
    for (int c = 0; c < 3; c++)
      make_columns(w, &plane[c], c ? &w->chroma_tall : &w->tall, y, list, rows, columns[c]);
    w->planes_ops->colours(&w->wide, &w->chroma_wide, (const uint16_t *const *)columns,
                           out_h - y < ORR_STRIP ? out_h - y : ORR_STRIP, out + pitch * y, pitch);
  }
  return ORR_OK;
}
