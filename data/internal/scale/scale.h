// Separable scaling of pictures of 4 bytes a pixel, weights in 22-bit fixed point.
#ifndef ORRERY_DATA_SCALE_H_
#define ORRERY_DATA_SCALE_H_

#include <stdint.h>

// Target position i is the sum over k < count[i] of weight[i * stride + k] times the source position
// from[i] + k, rounded and clamped to 0..255.

// Scales rows of src_width pixels to rows of dst_width pixels.
void orrery_scale_rows(uint8_t *dst, int dst_width, const uint8_t *src, int src_width, int height,
                       const int32_t *from, const int32_t *count, const int32_t *weight,
                       int stride);

// Scales columns to dst_height rows; both pictures are width pixels wide. The fourth byte of each
// pixel becomes 255. sum is scratch memory of 4 * width numbers.
void orrery_scale_columns(uint8_t *dst, int dst_height, const uint8_t *src, int width,
                          const int32_t *from, const int32_t *count, const int32_t *weight,
                          int stride, int32_t *sum);

#endif  // ORRERY_DATA_SCALE_H_
