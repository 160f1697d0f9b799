// gather.h on the GPU: a thread makes one pixel.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "gather.h"

namespace {

__device__ inline void put(float x, float* to) { *to = x; }
__device__ inline void put(float x, __nv_bfloat16* to) { *to = __float2bfloat16(x); }
__device__ inline void put(float x, __half* to) { *to = __float2half(x); }

template <typename T>
__global__ void gather(const uint8_t* block, const orr_shot* shots, orr_gather g, T* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= g.out_w * g.out_h) return;
  const orr_shot s = shots[blockIdx.y];
  float rgb[3];
  orr_gather_pixel(block, &s, &g, i, rgb);
  for (int c = 0; c < 3; c++) put(rgb[c], out + orr_gather_at(&g, blockIdx.y, i, c));
}

template <typename T>
int launch(const uint8_t* block, const orr_shot* shots, const orr_gather& g, void* out,
           void* stream) {
  constexpr int kThreads = 256;
  const dim3 grid((g.out_w * g.out_h + kThreads - 1) / kThreads, g.n);
  gather<T><<<grid, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(block, shots, g,
                                                                      static_cast<T*>(out));
  return cudaGetLastError();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int orr_gather_cuda(const uint8_t* block,
                                                                      const orr_shot* shots,
                                                                      const orr_gather* g,
                                                                      void* out, void* stream) {
  if (g->n == 0) return cudaSuccess;
  switch (g->dtype) {
    case ORR_F32:
      return launch<float>(block, shots, *g, out, stream);
    case ORR_BF16:
      return launch<__nv_bfloat16>(block, shots, *g, out, stream);
    case ORR_F16:
      return launch<__half>(block, shots, *g, out, stream);
  }
  return cudaErrorInvalidValue;
}
