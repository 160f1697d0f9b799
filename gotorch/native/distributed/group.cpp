// Stores, process groups and gradient reducers of libtorch's c10d; README.md says what and why.
#define USE_C10D_GLOO
#define USE_DISTRIBUTED

#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "cuda/table.h"
#include "kernels/sync.h"
#include "shim.h"

using namespace cgt;  // NOLINT

using std::chrono::milliseconds;

struct cgt_store {
  c10::intrusive_ptr<c10d::Store> store;
};

struct cgt_group {
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  c10::intrusive_ptr<c10d::Backend> nccl;        // for CUDA tensors; none: gloo's
  c10::intrusive_ptr<c10d::ProcessGroup> group;  // what the Reducer takes

  c10d::Backend& backend(const at::Tensor& t) const {
    if (t.is_cuda() && nccl) return *nccl;
    return *gloo;
  }
};

struct cgt_reducer {
  std::unique_ptr<c10d::Reducer> reducer;
};

namespace {

// libtorch's FlightRecorder (2.11) notes each collective, and each new group, in a map that it does not lock, which breaks
// when threads of one process do so together. We read nothing of it, so it is off unless the user asks for it.
const int flight_recorder_off = setenv("TORCH_FR_BUFFER_SIZE", "0", /*overwrite=*/0);

// Makes a Reducer with as many arguments as its constructor has in this version of libtorch: later
// ones added some at the end.
template <typename... Extra>
std::unique_ptr<c10d::Reducer> make_reducer(const std::vector<at::Tensor>& params,
                                            const std::vector<std::vector<size_t>>& buckets,
                                            const c10::intrusive_ptr<c10d::ProcessGroup>& group,
                                            int64_t cap, int64_t first, Extra... extra) {
  using Names = std::unordered_map<size_t, std::string>;
  using Buckets = std::vector<std::vector<size_t>>;
  using Group = c10::intrusive_ptr<c10d::ProcessGroup>;
  if constexpr (std::is_constructible_v<c10d::Reducer, std::vector<at::Tensor>, Buckets, Group,
                                        std::vector<bool>, int64_t, bool, bool, Names, int64_t,
                                        Extra...>) {
    return std::make_unique<c10d::Reducer>(
        params, buckets, group, std::vector<bool>(params.size(), false), cap,
        /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/true, Names{}, first,
        extra...);
  } else if constexpr (sizeof...(Extra) == 0) {
    return make_reducer(params, buckets, group, cap, first, false, false);
  } else if constexpr (sizeof...(Extra) == 2) {
    return make_reducer(params, buckets, group, cap, first, false, false, std::vector<int64_t>{});
  } else {
    static_assert(sizeof...(Extra) < 3, "c10d::Reducer has a constructor we do not know");
    return nullptr;
  }
}

c10d::ReduceOp reduce_op(int8_t op) {
  switch (op) {
    case 0:
      return c10d::ReduceOp::SUM;
    case 1:
      return c10d::ReduceOp::MAX;
    case 2:
      return c10d::ReduceOp::MIN;
  }
  TORCH_CHECK(false, "there is no reduction ", static_cast<int>(op));
}

void all_reduce(const cgt_group* g, at::Tensor t, int8_t op) {
  c10::NoGradGuard no_grad;
  std::vector<at::Tensor> list{std::move(t)};
  c10d::AllreduceOptions options;
  options.reduceOp = reduce_op(op);
  g->backend(list[0]).allreduce(list, options)->wait();
}

}  // namespace

extern "C" {

cgt_rp cgt_store_new(const char* host, int64_t port, int64_t listener, const char* prefix,
                     int64_t timeout_ms) {
  cgt_rp r{nullptr, nullptr};
  r.err = nothing([&] {
    c10d::TCPStoreOptions o;
    o.port = static_cast<uint16_t>(port);
    o.timeout = milliseconds(timeout_ms);
    o.waitWorkers = false;
    if (listener >= 0) {
      o.isServer = true;
      o.masterListenFd = static_cast<int>(listener);
    }
    r.v = new cgt_store{c10::make_intrusive<c10d::PrefixStore>(
        prefix, c10::make_intrusive<c10d::TCPStore>(std::string(host), o))};
  });
  return r;
}

void cgt_store_free(cgt_store* s) { delete s; }

char* cgt_store_set(cgt_store* s, const char* key, const char* value, int64_t n) {
  return nothing([&] { s->store->set(key, std::vector<uint8_t>(value, value + n)); });
}

cgt_rs cgt_store_get(cgt_store* s, const char* key, int64_t timeout_ms) {
  return text([&] {
    s->store->wait({key}, milliseconds(timeout_ms));
    const std::vector<uint8_t> v = s->store->get(key);
    return std::string(v.begin(), v.end());
  });
}

cgt_ri cgt_store_check(cgt_store* s, const char* key) {
  return integer([&]() -> int64_t { return s->store->check({key}); });
}

cgt_rp cgt_group_new(cgt_store* s, int64_t rank, int64_t size, int64_t timeout_ms,
                     const char* address, const char* interface_name) {
  cgt_rp r{nullptr, nullptr};
  r.err = nothing([&] {
    auto o = c10d::ProcessGroupGloo::Options::create(milliseconds(timeout_ms));
    o->devices.push_back(*interface_name
                             ? c10d::ProcessGroupGloo::createDeviceForInterface(interface_name)
                             : c10d::ProcessGroupGloo::createDeviceForHostname(address));
    auto g = std::make_unique<cgt_group>();
    const int me = static_cast<int>(rank), all = static_cast<int>(size);
    g->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(s->store, me, all, o);
    g->group = c10::make_intrusive<c10d::ProcessGroup>(s->store, me, all);
    for (const auto type : {c10::DeviceType::CPU, c10::DeviceType::CUDA})
      g->group->setBackend(type, c10d::ProcessGroup::BackendType::GLOO, g->gloo);
    g->group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    r.v = g.release();
  });
  return r;
}

char* cgt_group_use_nccl(cgt_group* g, cgt_store* s, int64_t timeout_ms, int16_t device_index) {
  return nothing([&] {
    g->nccl = gotorch::cuda::needed().nccl(c10::make_intrusive<c10d::PrefixStore>("nccl", s->store),
                                           g->gloo->getRank(), g->gloo->getSize(),
                                           milliseconds(timeout_ms), device_index);
    g->group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, g->nccl);
  });
}

void cgt_group_free(cgt_group* g) { delete g; }

char* cgt_group_all_reduce(cgt_group* g, cgt_t t, int8_t op) {
  return nothing([&] { all_reduce(g, T(t), op); });
}

char* cgt_group_broadcast(cgt_group* g, cgt_t t, int64_t root) {
  return nothing([&] {
    c10::NoGradGuard no_grad;
    const at::Tensor x = T(t);
    // Backends move plain memory; a parameter may be laid out as NHWC.
    const at::Tensor plain = x.contiguous();
    std::vector<at::Tensor> list{plain};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    g->backend(plain).broadcast(list, options)->wait();
    if (!plain.is_same(x)) x.copy_(plain);
  });
}

cgt_rl cgt_group_all_gather(cgt_group* g, cgt_t t) {
  return many([&] {
    c10::NoGradGuard no_grad;
    std::vector<at::Tensor> in{T(t).contiguous()};
    std::vector<std::vector<at::Tensor>> out(1);
    for (int i = 0; i < g->gloo->getSize(); i++) out[0].push_back(at::empty_like(in[0]));
    g->backend(in[0]).allgather(out, in)->wait();
    return out[0];
  });
}

char* cgt_group_barrier(cgt_group* g) {
  return nothing([&] { g->gloo->barrier()->wait(); });
}

// From now on BatchNorm in training takes its statistics over the batches of all processes of g; NULL:
// over its own again.
char* cgt_group_sync_batch_norm(cgt_group* g) {
  return nothing([&] {
    if (g == nullptr) {
      gotorch::kernels::set_sync({});
      return;
    }
    gotorch::kernels::set_sync({[g](const at::Tensor& t) { all_reduce(g, t, 0); },
                                g->gloo->getRank(), g->gloo->getSize()});
  });
}

cgt_rp cgt_reducer_new(cgt_group* g, cgt_t* params, int64_t n, int64_t bucket_bytes) {
  cgt_rp r{nullptr, nullptr};
  r.err = nothing([&] {
    const std::vector<at::Tensor> list = L(params, n);
    // As DistributedDataParallel: a small first bucket, and the last layers' gradients, which are
    // ready first, in it.
    const int64_t first = std::min<int64_t>(c10d::kDefaultFirstBucketBytes, bucket_bytes);
    auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
        list, {static_cast<size_t>(first), static_cast<size_t>(bucket_bytes)}));
    std::reverse(buckets.begin(), buckets.end());
    r.v = new cgt_reducer{make_reducer(list, buckets, g->group, bucket_bytes, first)};
  });
  return r;
}

void cgt_reducer_free(cgt_reducer* r) {
  try {
    delete r;
  } catch (...) {  // its hooks went with the parameters
  }
}

char* cgt_reducer_before_forward(cgt_reducer* r) {
  return nothing([&] {
    r->reducer->rebuild_buckets();
    r->reducer->prepare_for_forward();
  });
}

char* cgt_reducer_before_backward(cgt_reducer* r) {
  return nothing([&] { r->reducer->prepare_for_backward({}); });
}

}  // extern "C"
