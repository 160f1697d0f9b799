// ReLU and BatchNorm after a convolution as one operation, on channels-last data of any floating type
// with parameters and statistics in float: what an unfused network reads and writes 19 times an output,
// this does 14 times.
//
// With v = relu_first ? ReLU(x) : x the value is z = (v - mean)*inv_std*gamma + beta, plus the residual,
// then a ReLU if relu_last. Kernels come twice, for CUDA (relu_norm.cu) and as a twin for the CPU
// (../kernels/relu_norm.cpp) with the same arithmetic for each value (relu_norm_value.h).
#ifndef GOTORCH_NATIVE_CUDA_RELU_NORM_H_
#define GOTORCH_NATIVE_CUDA_RELU_NORM_H_

#include <ATen/core/Tensor.h>

namespace gotorch::cuda {

// Undefined tensors stand for what a block does not have. Vectors are float [c], contiguous.
struct ReluNormForward {
  at::Tensor x;         // [n, c, h, w], channels-last
  at::Tensor residual;  // as x
  at::Tensor gamma, beta;
  at::Tensor running_mean, running_var;
  bool relu_first, relu_last;
  bool
      batch;  // normalise by the batch's statistics, and move the running ones, if any, by momentum
  double momentum, eps;
  // Results.
  at::Tensor y;              // as x
  at::Tensor mean, inv_std;  // that it was normalised by
};

struct ReluNormBackward {
  at::Tensor g, x;  // channels-last
  at::Tensor y;     // of the forward pass, for relu_last
  at::Tensor gamma, mean, inv_std;
  bool relu_first, relu_last, batch;
  // Results.
  at::Tensor dx;         // as x
  at::Tensor dresidual;  // as x, or undefined: not wanted
  at::Tensor dgamma, dbeta;
};

struct ReluNormKernels {
  void (*forward)(const ReluNormForward&);
  void (*backward)(const ReluNormBackward&);
};

}  // namespace gotorch::cuda

#endif  // GOTORCH_NATIVE_CUDA_RELU_NORM_H_
