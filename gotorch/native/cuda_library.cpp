// Opening libcgotorch_cuda.so, and what goes through its table.
#include <dlfcn.h>
#include <torch/version.h>

#include <memory>

#include "abi_gen.h"
#include "cuda/table.h"
#include "relu_norm.h"
#include "shim.h"

using namespace cgt;  // NOLINT
using gotorch::cuda::Graph;
using gotorch::cuda::needed;

namespace gotorch::cuda {

namespace {

const Table* open_table = nullptr;
std::string why = "it was not opened";

}  // namespace

const Table* table() { return open_table; }

const Table& needed() {
  TORCH_CHECK(open_table != nullptr, "libcgotorch_cuda.so is not in use: ", why);
  return *open_table;
}

}  // namespace gotorch::cuda

struct cgt_graph {
  std::unique_ptr<Graph> graph;
};

extern "C" {

// Opens the library; what is wrong with it, or with driver and GPUs, is the error.
cgt_rs cgt_cuda_open(const char* path) {
  using namespace gotorch::cuda;  // NOLINT
  const cgt_rs r = text([&] {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    TORCH_CHECK(library != nullptr, "library: ", dlerror());
    const auto function = reinterpret_cast<TableFunction>(dlsym(library, kTableFunction));
    TORCH_CHECK(function != nullptr, "library: ", path, " has no table; run make cuda");
    const Table* t = function();
    TORCH_CHECK(std::string(t->abi) == CGT_ABI && std::string(t->torch) == TORCH_VERSION,
                "library: ", path, " was built for libtorch ", t->torch, " and interface ", t->abi,
                ", not ", TORCH_VERSION, " and " CGT_ABI "; run make cuda");
    const std::string trouble = t->trouble();
    TORCH_CHECK(trouble.empty(), trouble);
    open_table = t;
    return t->devices();
  });
  if (r.err != nullptr) why = r.err;
  return r;
}

cgt_ri cgt_cuda_memory(int16_t device, int64_t* all) {
  return integer([&]() -> int64_t {
    int64_t free = 0;
    needed().memory(device, &free, all);
    return free;
  });
}

cgt_rp cgt_cuda_stream(int16_t device) {
  cgt_rp r{nullptr, nullptr};
  r.err = nothing([&] { r.v = needed().stream(device); });
  return r;
}

cgt_rp cgt_graph_begin(int16_t device) {
  cgt_rp r{nullptr, nullptr};
  r.err = nothing([&] {
    auto g = std::make_unique<cgt_graph>();
    g->graph.reset(needed().graph(device));
    g->graph->begin();
    r.v = g.release();
  });
  return r;
}

char* cgt_graph_end(cgt_graph* g) {
  return nothing([&] { g->graph->end(); });
}

char* cgt_graph_replay(cgt_graph* g) {
  return nothing([&] { g->graph->replay(); });
}

void cgt_graph_free(cgt_graph* g) {
  try {
    delete g;
  } catch (...) {  // of a recording that was broken off
  }
}

}  // extern "C"
