// The kernels of relu_norm.cu over plain memory, so that nvcc need not read libtorch's headers.
#ifndef GOTORCH_NATIVE_CUDA_RELU_NORM_LAUNCH_H_
#define GOTORCH_NATIVE_CUDA_RELU_NORM_LAUNCH_H_

#include <cuda_runtime_api.h>

#include <cstdint>

namespace gotorch::cuda {

enum class Real { kFloat, kBFloat16, kHalf };

// Data of channels-last order: rows (pixels of all images) of so many channels.
struct Shape {
  Real dtype;
  int64_t rows;
  int channels;
};

struct ForwardPlain {
  Shape shape;
  const void *x, *residual;
  const float *gamma, *beta;
  float *running_mean, *running_var;
  bool relu_first, relu_last, batch;
  float momentum, eps;
  void *y;
  float *mean, *inv_std;
  float *scratch;  // scratch_floats()
};

struct BackwardPlain {
  Shape shape;
  const void *g, *x, *y;
  const float *gamma, *mean, *inv_std;
  bool relu_first, relu_last, batch;
  void *dx, *dresidual;
  float *dgamma, *dbeta;
  float *scratch;
};

int64_t scratch_floats(const Shape &s);
cudaError_t launch(const ForwardPlain &f, cudaStream_t stream);
cudaError_t launch(const BackwardPlain &b, cudaStream_t stream);

}  // namespace gotorch::cuda

#endif  // GOTORCH_NATIVE_CUDA_RELU_NORM_LAUNCH_H_
