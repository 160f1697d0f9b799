// A JPEG's planes, luma and chroma of fewer samples, scaled and turned into RGBX at once.
//
// Colours are made of the scaled samples, so that neither repeated chroma nor pixels that the scaling
// drops cost anything. 16 rows of the result are one strip: each plane's rows are summed (lower), turned
// so that a column is one vector of 16 words (turn), and those are summed, coloured and written (colours).
#ifndef ORRERY_KERNEL_PLANES_H_
#define ORRERY_KERNEL_PLANES_H_

#include "ops.h"

// Rows of a strip.
enum { ORR_STRIP = 16 };

// What the forms give. Samples become 15 bits (255 becomes 32640); all have equal results.
typedef struct orr_plane_ops {
  // Weighted sum of n rows of bytes. Writes `bytes` words, rounded up to 16, and reads as many bytes.
  void (*lower)(const uint8_t *const *rows, const int16_t *weight, int n, int bytes, uint16_t *out);
  // ORR_STRIP rows of n words, `pitch` words apart, to n columns of ORR_STRIP words. Rounds n up to 16.
  void (*turn)(const uint16_t *rows, size_t pitch, int n, uint16_t *columns);
  // luma->out pixels of each of the first `rows` rows, `pitch` bytes apart, from columns of Y, Cb and Cr.
  void (*colours)(const orr_merged *luma, const orr_merged *chroma,
                  const uint16_t *const columns[3], int rows, uint8_t *out, size_t pitch);
} orr_plane_ops;

// JFIF's conversion as words: R = Y + Cr + RED*Cr, G = Y - GREEN_B*Cb - GREEN_R*Cr, B = Y + Cb + BLUE*Cb.
enum {
  ORR_RED = 13173,      // (1.402 - 1) * 2^15
  ORR_GREEN_B = 11277,  // 0.344136 * 2^15
  ORR_GREEN_R = 23401,  // 0.714136 * 2^15
  ORR_BLUE = 25297      // (1.772 - 1) * 2^15
};
// Chroma of no colour, in 15 bits.
enum { ORR_NEUTRAL = 128 << 7 };

extern const orr_plane_ops orr_scalar_planes;
#if defined(__x86_64__)
extern const orr_plane_ops orr_avx2_planes;
#endif

#endif  // ORRERY_KERNEL_PLANES_H_
