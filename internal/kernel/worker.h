// The scratch memory of one thread.
#ifndef ORRERY_AUGMENT_WORKER_H_
#define ORRERY_AUGMENT_WORKER_H_

#include <stdlib.h>
#include <string.h>

#include "ops.h"

// A growing, 64-byte aligned buffer.
typedef struct {
  uint8_t *p;
  size_t n;
} orr_buffer;

struct orr_quick;
struct orr_plane_ops;

struct orr_worker {
  const orr_ops *ops;
  const struct orr_plane_ops *planes_ops;
  // A finished row in one go (quick.h); NULL where the processor cannot.
  void (*quick)(const struct orr_quick *q, int row, int n, void *out);
  int grouped;
  orr_taps across, down;
  orr_windows columns, rows;
  orr_merged wide, tall, chroma_wide, chroma_tall;
  orr_buffer strip;    // horizontally resized source rows, a ring
  orr_buffer items;    // the resized picture
  orr_buffer sums;     // scratch of the area step
  orr_buffer picture;  // the picture after the area step
  orr_buffer planes;   // one output row
  orr_buffer lists;    // row pointers
};

enum { PAD = 64 };

static inline size_t round64(size_t n) { return (n + 63) & ~(size_t)63; }

// reserve returns at least n bytes of b, NULL when there is no memory. A grown buffer is zero.
static inline uint8_t *reserve(orr_buffer *b, size_t n) {
  if (n > b->n) {
    free(b->p);
    b->n = round64(n);
    b->p = aligned_alloc(64, b->n);
    if (!b->p)
      b->n = 0;
    else
      memset(b->p, 0, b->n);
  }
  return b->p;
}

// What kernel.c and gather.c share: whether a job fits the picture, whether it reads no further than the
// reflecting borders, and a float rounded to bfloat16.
int orr_valid(int32_t width, int32_t height, const orr_job *job);
int orr_stays_inside(const orr_view *v, int out_w, int out_h);
uint16_t orr_bfloat16(float f);

#endif  // ORRERY_AUGMENT_WORKER_H_
