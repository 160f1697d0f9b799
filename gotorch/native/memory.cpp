// Messages, reference counts and what this library was built for.

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

#include <chrono>

#include "abi_gen.h"
#include "shim.h"

namespace cgt {

static char* copy(const char* s) noexcept {
  char* p = strdup(s);
  return p != nullptr ? p : strdup("out of memory");
}

char* message() noexcept {
  try {
    throw;
  } catch (const c10::Error& e) {
    return copy(e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return copy("out of memory (std::bad_alloc)");
  } catch (const std::exception& e) {
    return copy(e.what());
  } catch (...) {
    return copy("an exception that is no std::exception");
  }
}

}  // namespace cgt

using namespace cgt;  // NOLINT

extern "C" {

const char* cgt_abi(void) { return CGT_ABI; }

const char* cgt_built_for(void) { return TORCH_VERSION; }

// at::show_config() names the version of the libtorch that is really loaded.
cgt_rs cgt_config(void) {
  return text([] { return at::show_config(); });
}

void cgt_free(void* p) { free(p); }

void cgt_release(cgt_t* ts, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (ts[i] == nullptr) continue;
    try {
      c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>::reclaim(
          static_cast<at::TensorImpl*>(ts[i]));
    } catch (...) {  // a deleter of somebody else's memory
    }
  }
}

cgt_t cgt_retain(cgt_t t) { return give(T(t)); }

// A thread that never asked keeps OpenMP's own idea of the number of threads.
void cgt_thread_init(void) {
  try {
    (void)at::get_num_threads();
  } catch (...) {  // the thread then keeps OpenMP's number
  }
}

char* cgt_set_num_threads(int64_t n) {
  return nothing([&] { at::set_num_threads(static_cast<int>(n)); });
}

int64_t cgt_num_threads(void) { return at::get_num_threads(); }

cgt_rd cgt_bench_add(int64_t n) {
  return real([&] {
    auto a = at::ones({2}), b = at::ones({2});
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < n; i++) auto c = at::add(a, b);
    const std::chrono::duration<double, std::nano> d = std::chrono::steady_clock::now() - start;
    return d.count() / static_cast<double>(n);
  });
}

void cgt_bench_nop(void) {}

}  // extern "C"
