// Pillow's resize and PyTorch's area resize after it, as one filter along each axis.
#ifndef ORRERY_AUGMENT_MERGED_H_
#define ORRERY_AUGMENT_MERGED_H_

#include "ops.h"
#include "taps.h"
#include "worker.h"

// orr_merged_make fills m for Pillow's bilinear filter from `in` to `item` pixels followed by
// averages over adaptive windows from `item` to `out` pixels. taps and windows are scratch that keeps
// what was made last. It does nothing when m already holds these sizes.
int orr_merged_make(orr_merged *m, orr_taps *taps, orr_windows *windows, int in, int item, int out);

// orr_merged_span fills m for the triangle filter alone, widened when shrinking: `span` of the inputs, of
// which there are as many or up to one more, become `out` outputs.
int orr_merged_span(orr_merged *m, int in, double span, int out);
// orr_merged_fits says whether 15 bits are fine enough for the sizes.
int orr_merged_fits(int in, int out);

// orr_merger makes the rows of a crop that is resized to item_w x item_h and then, by area, to
// area_w x area_h, as far as they are asked for.
typedef struct {
  orr_worker *w;
  const uint8_t *source;  // top left of the crop
  ptrdiff_t stride;
  size_t pitch;  // bytes between rows of the ring
  int slots;     // rows in the ring
  int next;      // first source row not yet in the ring
  int made;      // rows of the picture that are there
  uint16_t *line;
  const uint16_t **list;
  uint8_t *picture;
  size_t picture_pitch;
} orr_merger;

// orr_merger_fits says whether the job's filter has no negative weights, and 15 bits are fine enough
// for its sizes.
int orr_merger_fits(const orr_job *job);
// orr_merger_open points view at the picture, of which nothing is there yet.
int orr_merger_open(orr_merger *m, orr_worker *w, const uint8_t *source, ptrdiff_t stride,
                    const orr_job *job, orr_view *view);
// orr_merger_advance makes the rows of the picture up to `rows`.
void orr_merger_advance(orr_merger *m, int rows);

#endif  // ORRERY_AUGMENT_MERGED_H_
