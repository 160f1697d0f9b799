#include "recycle.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gotorch::kernels {

namespace {

struct Buffer {
  void* data;
  std::size_t bytes;
};

class Pool {
 public:
  Buffer take(std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    // The smallest kept buffer that is not much too large.
    auto best = kept_.end();
    for (auto i = kept_.begin(); i != kept_.end(); ++i)
      if (i->bytes >= bytes && i->bytes <= bytes + bytes / 4 &&
          (best == kept_.end() || i->bytes < best->bytes))
        best = i;
    if (best != kept_.end()) {
      const Buffer b = *best;
      kept_.erase(best);
      kept_bytes_ -= b.bytes;
      use(b.bytes);
      return b;
    }
    use(bytes);
    while (!kept_.empty() && used_bytes_ + kept_bytes_ > peak_bytes_ + peak_bytes_ / 2)
      drop_oldest();
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : 64;
    void* data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!data) {
      used_bytes_ -= bytes;
      throw std::bad_alloc();
    }
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
#endif
    return {data, bytes};
  }

  void give(const Buffer& b) {
    const std::lock_guard<std::mutex> lock(mutex_);
    used_bytes_ -= b.bytes;
    kept_bytes_ += b.bytes;
    kept_.push_back(b);
  }

  void release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    while (!kept_.empty()) drop_oldest();
    peak_bytes_ = used_bytes_;
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  void use(std::size_t bytes) {
    used_bytes_ += bytes;
    peak_bytes_ = std::max(peak_bytes_, used_bytes_);
  }

  void drop_oldest() {
    kept_bytes_ -= kept_.front().bytes;
    std::free(kept_.front().data);
    kept_.erase(kept_.begin());
  }

  std::mutex mutex_;
  std::vector<Buffer> kept_;
  std::size_t used_bytes_ = 0, kept_bytes_ = 0, peak_bytes_ = 0;
};

// Never destroyed: tensors may outlive every other static.
Pool& pool() {
  static Pool* const p = new Pool;
  return *p;
}

}  // namespace

std::shared_ptr<float> recycled(std::size_t floats) {
  const Buffer b = pool().take((floats + 64) * sizeof(float));
  return {static_cast<float*>(b.data), [b](float*) { pool().give(b); }};
}

void release_recycled() { pool().release(); }

}  // namespace gotorch::kernels
