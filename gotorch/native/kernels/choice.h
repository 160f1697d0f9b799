// The choice between own kernels and libtorch's for a stage, by measurement.
#pragma once

#include "conv_block.h"

namespace gotorch::kernels {

// Whether own kernels were faster for a stage of this shape when both were timed: from memory, from the
// choice file, or now. Only shapes, the number of threads and whether a backward pass will follow count.
bool own_is_faster(const at::Tensor& x, const Stage& stage);

}  // namespace gotorch::kernels
