// What the source files of libcgotorch_cuda.so give to its table.
#ifndef GOTORCH_NATIVE_CUDA_KERNELS_H_
#define GOTORCH_NATIVE_CUDA_KERNELS_H_

#include "table.h"

namespace gotorch::cuda {

ReluNormKernels relu_norm_kernels();
Graph* new_graph(int device);
c10::intrusive_ptr<c10d::Backend> new_nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                           int size, std::chrono::milliseconds timeout, int device);

}  // namespace gotorch::cuda

#endif  // GOTORCH_NATIVE_CUDA_KERNELS_H_
