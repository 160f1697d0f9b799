// The arithmetic of relu_norm.h for one value, for the CUDA kernels and their twin on the CPU.
#ifndef GOTORCH_NATIVE_CUDA_RELU_NORM_VALUE_H_
#define GOTORCH_NATIVE_CUDA_RELU_NORM_VALUE_H_

#ifdef __CUDACC__
#define GOTORCH_EACH __host__ __device__ inline
#else
#define GOTORCH_EACH inline
#endif

namespace gotorch::cuda {

// ReLU as libtorch has it: what is no number stays none.
GOTORCH_EACH float relu(float x, bool on) { return on && x <= 0 ? 0.0f : x; }

// The gradient behind a last ReLU whose result was y.
GOTORCH_EACH float masked(float g, float y, bool relu_last) { return relu_last && y <= 0 ? 0 : g; }

GOTORCH_EACH float normalised(float x, float scale, float offset, float residual, bool relu_first,
                              bool relu_last) {
  return relu(relu(x, relu_first) * scale + offset + residual, relu_last);
}

// What backward needs of a channel: d = slope*(g - mean_g - (v - mean)*pull).
struct Coefficients {
  float mean, slope, mean_g, pull;
};

// From the sums over the channel's n values of g and of g*(v - mean).
GOTORCH_EACH Coefficients coefficients(double sum, double dot, double n, float mean, float inv_std,
                                       float gamma, bool batch) {
  Coefficients c{mean, gamma * inv_std, 0, 0};
  if (batch) {
    c.mean_g = static_cast<float>(sum / n);
    c.pull = static_cast<float>(dot / n * inv_std * inv_std);
  }
  return c;
}

// The gradient of x.
GOTORCH_EACH float input_gradient(float g, float x, const Coefficients& c, bool relu_first) {
  if (relu_first && x <= 0) return 0;
  return c.slope * (g - c.mean_g - (x - c.mean) * c.pull);
}

}  // namespace gotorch::cuda

#endif  // GOTORCH_NATIVE_CUDA_RELU_NORM_VALUE_H_
