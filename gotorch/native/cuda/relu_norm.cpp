// From tensors to the plain kernels of relu_norm.cu.
#include "relu_norm.h"

#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels.h"
#include "relu_norm_launch.h"

namespace gotorch::cuda {

namespace {

Shape shape_of(const at::Tensor& x) {
  const int64_t channels = x.size(1);
  Shape s{Real::kFloat, x.numel() / channels, static_cast<int>(channels)};
  if (x.scalar_type() == at::kBFloat16) s.dtype = Real::kBFloat16;
  if (x.scalar_type() == at::kHalf) s.dtype = Real::kHalf;
  return s;
}

const void* data(const at::Tensor& t) { return t.defined() ? t.const_data_ptr() : nullptr; }
void* room(const at::Tensor& t) { return t.defined() ? t.mutable_data_ptr() : nullptr; }
const float* vector(const at::Tensor& t) { return static_cast<const float*>(data(t)); }
float* result(const at::Tensor& t) { return static_cast<float*>(room(t)); }

void forward(const ReluNormForward& f) {
  const c10::cuda::CUDAGuard guard(f.x.device());
  ForwardPlain p{};
  p.shape = shape_of(f.x);
  const at::Tensor scratch = at::empty({scratch_floats(p.shape)}, f.mean.options());
  p.x = data(f.x), p.residual = data(f.residual);
  p.gamma = vector(f.gamma), p.beta = vector(f.beta);
  p.running_mean = result(f.running_mean), p.running_var = result(f.running_var);
  p.relu_first = f.relu_first, p.relu_last = f.relu_last, p.batch = f.batch;
  p.momentum = static_cast<float>(f.momentum), p.eps = static_cast<float>(f.eps);
  p.y = room(f.y), p.mean = result(f.mean), p.inv_std = result(f.inv_std);
  p.scratch = result(scratch);
  C10_CUDA_CHECK(launch(p, c10::cuda::getCurrentCUDAStream()));
}

void backward(const ReluNormBackward& b) {
  const c10::cuda::CUDAGuard guard(b.x.device());
  BackwardPlain p{};
  p.shape = shape_of(b.x);
  const at::Tensor scratch = at::empty({scratch_floats(p.shape)}, b.mean.options());
  p.g = data(b.g), p.x = data(b.x), p.y = data(b.y);
  p.gamma = vector(b.gamma), p.mean = vector(b.mean), p.inv_std = vector(b.inv_std);
  p.relu_first = b.relu_first, p.relu_last = b.relu_last, p.batch = b.batch;
  p.dx = room(b.dx), p.dresidual = room(b.dresidual);
  p.dgamma = result(b.dgamma), p.dbeta = result(b.dbeta);
  p.scratch = result(scratch);
  C10_CUDA_CHECK(launch(p, c10::cuda::getCurrentCUDAStream()));
}

}  // namespace

ReluNormKernels relu_norm_kernels() { return {forward, backward}; }

}  // namespace gotorch::cuda
