// The process group of several GPUs, c10d::ProcessGroupNCCL, which is in libtorch_cuda.
#define USE_C10D_NCCL
#define USE_DISTRIBUTED
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "kernels.h"

namespace gotorch::cuda {

c10::intrusive_ptr<c10d::Backend> new_nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                           int size, std::chrono::milliseconds timeout,
                                           int device) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
  group->setBoundDeviceId(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device)));
  return group;
}

}  // namespace gotorch::cuda
