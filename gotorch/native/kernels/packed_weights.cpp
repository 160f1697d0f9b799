#include "packed_weights.h"

#include <c10/core/TensorImpl.h>

#include <mutex>
#include <unordered_map>

namespace gotorch::kernels {

namespace {

struct Entry {
  c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
  uint32_t version;
  const void* address;
  int form;  // of the packing
  std::shared_ptr<float> packed;
};

std::mutex mutex;

// Never destroyed: buffers may outlive every other static.
std::unordered_map<const c10::TensorImpl*, Entry>& kept() {
  static auto* const map = new std::unordered_map<const c10::TensorImpl*, Entry>;
  return *map;
}

void drop_dead() {
  for (auto i = kept().begin(); i != kept().end();)
    i = i->second.tensor.expired() ? kept().erase(i) : std::next(i);
}

}  // namespace

std::shared_ptr<float> packed_weight(const at::Tensor& weight, int form,
                                     const std::function<std::shared_ptr<float>()>& make) {
  if (weight.is_inference()) return make();  // has no version counter
  const c10::TensorImpl* const key = weight.unsafeGetTensorImpl();
  const auto version = static_cast<uint32_t>(weight._version());
  const void* const address = weight.const_data_ptr();
  {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto found = kept().find(key);
    if (found != kept().end()) {
      const Entry& e = found->second;
      if (!e.tensor.expired() && e.version == version && e.address == address && e.form == form)
        return e.packed;
      kept().erase(found);
    }
  }
  const std::shared_ptr<float> packed = make();
  const std::lock_guard<std::mutex> lock(mutex);
  drop_dead();
  kept().insert_or_assign(
      key, Entry{c10::weak_intrusive_ptr<c10::TensorImpl>(weight.getIntrusivePtr()), version,
                 address, form, packed});
  return packed;
}

void forget_packed_weight(const at::Tensor& weight) {
  const std::lock_guard<std::mutex> lock(mutex);
  kept().erase(weight.unsafeGetTensorImpl());
}

void forget_packed_weights() {
  const std::lock_guard<std::mutex> lock(mutex);
  kept().clear();
}

}  // namespace gotorch::kernels
