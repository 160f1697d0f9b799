// What libcgotorch_cuda.so gives libcgotorch.so, which opens it at run time when there is a GPU to use.
#ifndef GOTORCH_NATIVE_CUDA_TABLE_H_
#define GOTORCH_NATIVE_CUDA_TABLE_H_

#include <chrono>
#include <string>

#include "relu_norm.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace gotorch::cuda {

// A recording of a stream's work, at::cuda::CUDAGraph. Functions work on the calling thread's current
// stream of the device, which must not be the default one while recording.
struct Graph {
  virtual ~Graph() = default;
  virtual void begin() = 0;
  virtual void end() = 0;
  virtual void replay() = 0;
};

struct Table {
  const char* abi;    // CGT_ABI of the headers it was built with
  const char* torch;  // the version of libtorch it was built for, as in 2.11.0
  const char* archs;  // the GPUs it has kernels for, as in "sm_80 sm_90 compute_90"
  // What keeps the GPUs from being used, "" when nothing does.
  std::string (*trouble)();
  // A line for each GPU: name, compute capability, memory in MiB; then driver and runtime.
  std::string (*devices)();
  // {free, all} bytes of a device's memory.
  void (*memory)(int device, int64_t* free, int64_t* all);
  void* (*stream)(int device);  // cudaStream_t, the current one
  Graph* (*graph)(int device);
  c10::intrusive_ptr<c10d::Backend> (*nccl)(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                            int size, std::chrono::milliseconds timeout,
                                            int device);
  ReluNormKernels relu_norm;
};

// The function by which libcgotorch_cuda.so hands out its table.
constexpr const char* kTableFunction = "gotorch_cuda_table";
using TableFunction = const Table* (*)();

// The open library's table, or null.
const Table* table();
// The same, or a c10::Error that says why there is none.
const Table& needed();

}  // namespace gotorch::cuda

#endif  // GOTORCH_NATIVE_CUDA_TABLE_H_
