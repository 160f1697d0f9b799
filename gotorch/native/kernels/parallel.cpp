#include "parallel.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>

// at::parallel_for lives in a header and needs -fopenmp, which would link the compiler's own libgomp
// beside the one that libtorch carries. Its entry points are the same in every build of the library
// (Intel's has them too), so they are called by name; where they are absent, work runs serially.
extern "C" {
__attribute__((weak)) void GOMP_parallel(void (*)(void*), void*, unsigned, unsigned);
__attribute__((weak)) int omp_get_thread_num();
__attribute__((weak)) int omp_get_num_threads();
}

namespace gotorch::kernels {

int threads() { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

namespace {

struct Region {
  int tasks;
  const std::function<void(int)>& task;
  std::atomic<bool> failed{false};
  std::exception_ptr error{};

  void run(int first, int step) {
    try {
      for (int i = first; i < tasks; i += step) task(i);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }
};

void region_body(void* p) {
  static_cast<Region*>(p)->run(omp_get_thread_num(), omp_get_num_threads());
}

}  // namespace

void parallel(int tasks, const std::function<void(int)>& task) {
  Region region{tasks, task};
#if AT_PARALLEL_OPENMP
  if (tasks > 1 && threads() > 1 && GOMP_parallel && omp_get_thread_num && omp_get_num_threads) {
    // 0 threads: as many as at::set_num_threads said. libgomp keeps its pool only while the number
    // stays the same.
    GOMP_parallel(region_body, &region, 0, 0);
  } else {
    region.run(0, 1);
  }
#else
  at::parallel_for(0, tasks, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) region.run(static_cast<int>(i), tasks);
  });
#endif
  if (region.error) std::rethrow_exception(region.error);
}

float* scratch(Slot slot, std::size_t floats) {
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  struct Buffer {
    std::unique_ptr<float, Free> data;
    std::size_t floats = 0;
  };
  thread_local Buffer buffers[kSlots];
  Buffer& b = buffers[slot];
  if (b.floats < floats) {
    b.data.reset();
    b.floats = 0;
    const std::size_t bytes = (floats + 64) * sizeof(float);
    b.data.reset(static_cast<float*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
    if (!b.data) throw std::bad_alloc();
    b.floats = floats;
  }
  return b.data.get();
}

}  // namespace gotorch::kernels
