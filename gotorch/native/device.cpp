// Devices, random generators and the switches of libtorch's global context.

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/csrc/autograd/variable.h>

#include "shim.h"

using namespace cgt;  // NOLINT

namespace {

bool has_cuda() {
  try {
    return at::globalContext().hasCUDA();
  } catch (...) {
    return false;
  }
}

at::Generator generator(int8_t type, int16_t index) {
  return at::globalContext().defaultGenerator(device(type, index));
}

c10::Stream stream(int16_t index, int64_t id) {
  return c10::Stream(c10::Stream::UNSAFE, device(static_cast<int8_t>(at::kCUDA), index), id);
}

}  // namespace

extern "C" {

// Must run before anything asks for CUDA: libtorch remembers the first answer.
cgt_rs cgt_load_cuda(const char* path) {
  if (dlopen(path, RTLD_NOW | RTLD_GLOBAL) != nullptr) return {nullptr, 0, nullptr};
  const char* why = dlerror();
  return {nullptr, 0, strdup(why != nullptr ? why : "dlopen failed")};
}

cgt_device cgt_parse_device(const char* name) {
  cgt_device r{0, -1, nullptr};
  try {
    const at::Device d{std::string(name)};
    r.type = static_cast<int8_t>(d.type());
    r.index = d.index();
  } catch (...) {
    r.err = message();
  }
  return r;
}

int64_t cgt_cuda_device_count(void) {
  try {
    return has_cuda() ? at::detail::getCUDAHooks().deviceCount() : 0;
  } catch (...) {
    return 0;
  }
}

int8_t cgt_has_cudnn(void) {
  try {
    return has_cuda() && at::detail::getCUDAHooks().hasCuDNN();
  } catch (...) {
    return 0;
  }
}

char* cgt_synchronize(int8_t type, int16_t index) {
  return nothing([&] {
    if (static_cast<at::DeviceType>(type) == at::kCPU) return;
    const c10::impl::VirtualGuardImpl impl(static_cast<at::DeviceType>(type));
    const at::DeviceIndex i = index < 0 ? impl.getDevice().index() : index;
    impl.synchronizeDevice(i);
  });
}

char* cgt_set_flag(const char* name, int8_t on) {
  return nothing([&] {
    const std::string s(name);
    auto& c = at::globalContext();
    if (s == "deterministic") {
      c.setDeterministicAlgorithms(on, /*warn_only=*/false);
      c.setDeterministicCuDNN(on);
    } else if (s == "benchmark") {
      c.setBenchmarkCuDNN(on);
    } else if (s == "tf32") {
      c.setFloat32MatmulPrecision(on ? "high" : "highest");
      c.setAllowTF32CuDNN(on);
    } else if (s == "onednn") {
      c.setUserEnabledMkldnn(on);
    } else {
      TORCH_CHECK(false, "no switch is called ", s);
    }
  });
}

char* cgt_manual_seed(int64_t seed, int8_t type, int16_t index) {
  return nothing([&] {
    if (type < 0) {
      at::manual_seed(static_cast<uint64_t>(seed));
      return;
    }
    at::Generator g = generator(type, index);
    const std::lock_guard<std::mutex> lock(g.mutex());
    g.set_current_seed(static_cast<uint64_t>(seed));
  });
}

cgt_rt cgt_rng_state(int8_t type, int16_t index) {
  return one([&] {
    at::Generator g = generator(type, index);
    const std::lock_guard<std::mutex> lock(g.mutex());
    return g.get_state();
  });
}

char* cgt_set_rng_state(int8_t type, int16_t index, cgt_t state) {
  return nothing([&] {
    at::Generator g = generator(type, index);
    const std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(T(state));
  });
}

// Streams go through the virtual guard, so this file needs no CUDA header.
cgt_ri cgt_stream_new(int16_t index, int64_t* id) {
  return integer([&]() -> int64_t {
    const c10::impl::VirtualGuardImpl impl(at::kCUDA);
    const at::Device d(at::kCUDA, index < 0 ? impl.getDevice().index() : index);
    const c10::Stream s = impl.getStreamFromGlobalPool(d, /*isHighPriority=*/false);
    *id = s.id();
    return s.device_index();
  });
}

cgt_ri cgt_stream_current(int16_t index, int64_t* id) {
  return integer([&]() -> int64_t {
    const c10::impl::VirtualGuardImpl impl(at::kCUDA);
    const at::Device d(at::kCUDA, index < 0 ? impl.getDevice().index() : index);
    const c10::Stream s = impl.getStream(d);
    *id = s.id();
    return s.device_index();
  });
}

char* cgt_stream_set(int16_t index, int64_t id) {
  return nothing([&] {
    const c10::impl::VirtualGuardImpl impl(at::kCUDA);
    impl.exchangeStream(stream(index, id));
  });
}

cgt_ri cgt_stream_query(int16_t index, int64_t id) {
  return integer([&]() -> int64_t {
    const c10::impl::VirtualGuardImpl impl(at::kCUDA);
    return impl.queryStream(stream(index, id));
  });
}

char* cgt_stream_synchronize(int16_t index, int64_t id) {
  return nothing([&] {
    const c10::impl::VirtualGuardImpl impl(at::kCUDA);
    impl.synchronizeStream(stream(index, id));
  });
}

}  // extern "C"
