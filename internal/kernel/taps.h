// Weights of the resize and windows of the area step.
#ifndef ORRERY_AUGMENT_TAPS_H_
#define ORRERY_AUGMENT_TAPS_H_

#include "ops.h"

// orr_taps_make fills t for Pillow's filter from `in` to `out` pixels. grouped also lays the weights
// out for AVX2. It does nothing when t already holds these sizes of that filter.
int orr_taps_make(orr_taps *t, int filter, int in, int out, int grouped);
// orr_windows_make fills w with PyTorch's adaptive average windows: output i covers
// [floor(i*in/out), ceil((i+1)*in/out)).
int orr_windows_make(orr_windows *w, int in, int out);

#endif  // ORRERY_AUGMENT_TAPS_H_
