// Recording and replaying a stream's work: at::cuda::CUDAGraph.
#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>

#include "kernels.h"

namespace gotorch::cuda {

namespace {

class Recording : public Graph {
 public:
  explicit Recording(int device) : device_(device) {}

  void begin() override {
    const c10::cuda::CUDAGuard guard(device_);
    // Random numbers of a replay go on where those of the one before ended.
    graph_.register_generator_state(
        at::globalContext().defaultGenerator(at::Device(at::kCUDA, device_)));
    // Other threads (loaders, pinned memory) go on allocating meanwhile.
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  }

  void end() override {
    const c10::cuda::CUDAGuard guard(device_);
    graph_.capture_end();
  }

  void replay() override {
    const c10::cuda::CUDAGuard guard(device_);
    graph_.replay();
  }

 private:
  c10::DeviceIndex device_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

Graph* new_graph(int device) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  return new Recording(device);
}

}  // namespace gotorch::cuda
