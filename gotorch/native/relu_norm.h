// What follows a convolution, ReLU and BatchNorm in either order, as one differentiable operation.
#ifndef GOTORCH_NATIVE_RELU_NORM_H_
#define GOTORCH_NATIVE_RELU_NORM_H_

#include "kernels/conv_block.h"

namespace gotorch {

// What stage s, which has a BatchNorm, makes of its convolution's result x (N, C, H, W), channels-last.
// The residual, if defined, is added as conv_chain does.
at::Tensor relu_norm(const at::Tensor& x, const kernels::Stage& s, const at::Tensor& residual);

// Whether relu_norm takes these, and is the way to go: on CUDA, where it saves reading and writing; not
// where statistics are taken between the BatchNorm and what follows it, nor over several processes.
bool fuses(const at::Tensor& x, const kernels::Stage& s, const at::Tensor& residual);

}  // namespace gotorch

#endif  // GOTORCH_NATIVE_RELU_NORM_H_
