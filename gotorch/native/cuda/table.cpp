// The table of this library, and what it finds of driver and GPUs.
#include "table.h"

#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <torch/version.h>

#include <cctype>
#include <sstream>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "abi_gen.h"
#include "kernels.h"

namespace gotorch::cuda {

namespace {

// CUDA's 13000 as 13.0.
std::string version(int v) {
  return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10);
}

// Whether this library has kernels for a GPU: of its generation and no later revision, or intermediate
// code of an earlier one, which the driver compiles.
bool serves(int capability) {
  std::istringstream archs(CGT_CUDA_ARCHS);
  for (std::string arch; archs >> arch;) {
    const int a = std::stoi(arch.substr(arch.find('_') + 1));
    if (arch[0] == 's' ? a / 10 == capability / 10 && a <= capability : a <= capability)
      return true;
  }
  return false;
}

std::string trouble() {
  int driver = 0, runtime = 0, count = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  if (driver == 0) return "driver: no NVIDIA driver is loaded on this machine";
  if (driver / 1000 < runtime / 1000)
    return "driver: it knows CUDA " + version(driver) + ", this libtorch wants " +
           version(runtime) + "; install a newer NVIDIA driver";
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) return std::string("driver: ") + cudaGetErrorString(error);
  if (count == 0) return "driver: it sees no GPU (is CUDA_VISIBLE_DEVICES set?)";
  for (int i = 0; i < count; i++) {
    cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) continue;
    if (!serves(10 * p.major + p.minor))
      return "arch: GPU " + std::to_string(i) + " (" + p.name + ") is of sm_" +
             std::to_string(10 * p.major + p.minor) + ", the kernels are built for " CGT_CUDA_ARCHS;
  }
  return "";
}

std::string devices() {
  std::ostringstream out;
  int driver = 0, runtime = 0, count = 0;
  cudaGetDeviceCount(&count);
  for (int i = 0; i < count; i++) {
    cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) continue;
    out << "GPU " << i << ": " << p.name << ", sm_" << p.major << p.minor << ", "
        << (p.totalGlobalMem >> 20) << " MiB\n";
  }
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  out << "driver for CUDA " << version(driver) << ", runtime " << version(runtime)
      << ", kernels for " CGT_CUDA_ARCHS "\n";
  return out.str();
}

void memory(int device, int64_t* free, int64_t* all) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  size_t f = 0, a = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&f, &a));
  *free = static_cast<int64_t>(f), *all = static_cast<int64_t>(a);
}

void* stream(int device) {
  return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream();
}

}  // namespace

}  // namespace gotorch::cuda

extern "C" const gotorch::cuda::Table* gotorch_cuda_table(void) {
  using namespace gotorch::cuda;  // NOLINT
  static const Table table{CGT_ABI, TORCH_VERSION, CGT_CUDA_ARCHS, trouble,  devices,
                           memory,  stream,        new_graph,      new_nccl, relu_norm_kernels()};
  return &table;
}
