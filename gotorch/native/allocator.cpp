// libtorch's allocator of CPU tensors in a process with this library: large ones take the buffers that
// earlier ones gave back (kernels/recycle.h). Fresh memory costs a page fault for every 4 KiB, with glibc's
// defaults a tenth of a step of a small network. $GOTORCH_RECYCLE=off leaves libtorch's own allocator.

#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "kernels/recycle.h"

namespace {

// Smaller tensors stay with glibc, whose free lists keep them.
constexpr std::size_t kLeastBytes = std::size_t{64} << 10;

class Recycling final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes < kLeastBytes) return small_->allocate(bytes);
    auto buffer = gotorch::kernels::recycled((bytes + sizeof(float) - 1) / sizeof(float));
    void* const data = buffer.get();
    const std::lock_guard<std::mutex> lock(mutex_);
    large_.emplace(data, std::move(buffer));
    return {data, data, give_back, c10::DeviceType::CPU};
  }

  // libtorch's scratch memory comes without a DataPtr: whoever frees it knows the address alone.
  c10::DeleterFnPtr raw_deleter() const override { return give_back; }

  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }

  // Never destroyed: tensors may outlive every other static.
  static Recycling& only() {
    static Recycling* const r = new Recycling;
    return *r;
  }

 private:
  static void give_back(void* data) {
    Recycling& r = only();
    {
      const std::lock_guard<std::mutex> lock(r.mutex_);
      if (r.large_.erase(data) > 0) return;
    }
    r.small_->raw_deleter()(data);
  }

  c10::Allocator* const small_ = c10::GetDefaultCPUAllocator();
  std::mutex mutex_;
  std::unordered_map<void*, std::shared_ptr<float>> large_;
};

bool wanted() {
#if defined(__SANITIZE_ADDRESS__)
  return false;  // It would not see a buffer used after it was given back.
#else
  const char* text = std::getenv("GOTORCH_RECYCLE");
  return text == nullptr || std::strcmp(text, "off") != 0;
#endif
}

// Priority 1: over libtorch's own, which is registered at 0.
const bool installed = [] {
  if (wanted()) c10::SetCPUAllocator(&Recycling::only(), 1);
  return true;
}();

}  // namespace
