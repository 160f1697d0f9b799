// Looking at tensors, moving their bytes, their text.

#include <torch/csrc/autograd/variable.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <limits>
#include <sstream>

#include "kernels/packed_weights.h"
#include "shim.h"

using namespace cgt;  // NOLINT

extern "C" {

cgt_info cgt_describe(cgt_t p) {
  cgt_info r{};
  try {
    const at::Tensor t = T(p);
    TORCH_CHECK(t.defined(), "the tensor is undefined");
    r.dim = t.dim();
    r.numel = t.numel();
    r.element_size = static_cast<int64_t>(t.element_size());
    r.sizes = t.sizes().data();
    if (t.layout() == at::kStrided) {
      r.strides = t.strides().data();
      r.contiguous = t.is_contiguous();
      r.channels_last = t.is_contiguous(at::MemoryFormat::ChannelsLast);
    }
    r.dtype = static_cast<int8_t>(t.scalar_type());
    r.device_type = static_cast<int8_t>(t.device().type());
    r.device_index = t.device().index();
    r.requires_grad = t.requires_grad();
    r.is_leaf = t.is_leaf();
  } catch (...) {
    r.err = message();
  }
  return r;
}

// The address of the first element, borrowed, in t.
cgt_rt cgt_data_ptr(cgt_t p) {
  cgt_rt r{nullptr, nullptr, 0};
  try {
    r.t = T(p).data_ptr();
  } catch (...) {
    r.err = message();
  }
  return r;
}

cgt_rt cgt_from_blob(void* p, int8_t d, const int64_t* sizes, int64_t n, int8_t copy) {
  return one([&] {
    int64_t numel = 1;
    for (int64_t i = 0; i < n; i++) {
      TORCH_CHECK(sizes[i] >= 0, "a size is negative: ", sizes[i]);
      TORCH_CHECK(sizes[i] == 0 || numel <= std::numeric_limits<int64_t>::max() / sizes[i] / 16,
                  "the sizes overflow");
      numel *= sizes[i];
    }
    TORCH_CHECK(p != nullptr || numel == 0, "the address is nil");
    auto t = at::from_blob(p, at::IntArrayRef(sizes, n), at::TensorOptions().dtype(dtype(d)));
    return copy ? t.clone() : t;
  });
}

char* cgt_copy_in(cgt_t p, const void* src, int64_t n) {
  return nothing([&] {
    at::Tensor t = T(p).detach();
    TORCH_CHECK(n == static_cast<int64_t>(t.nbytes()), "the tensor holds ", t.nbytes(),
                " bytes, the slice ", n);
    if (n == 0) return;
    if (t.device().is_cpu() && t.is_contiguous()) {
      memcpy(t.data_ptr(), src, n);
      T(p).unsafeGetTensorImpl()->bump_version();
      return;
    }
    t.copy_(at::from_blob(const_cast<void*>(src), t.sizes(),
                          at::TensorOptions().dtype(t.scalar_type())));
  });
}

char* cgt_copy_out(cgt_t p, void* dst, int64_t n) {
  return nothing([&] {
    at::Tensor t = T(p).detach();
    TORCH_CHECK(n == static_cast<int64_t>(t.nbytes()), "the tensor holds ", t.nbytes(),
                " bytes, the slice ", n);
    if (n == 0) return;
    t = t.cpu().contiguous().resolve_conj().resolve_neg();
    memcpy(dst, t.data_ptr(), n);
  });
}

cgt_ri cgt_item_int(cgt_t p) {
  return integer([&] { return T(p).item().toLong(); });
}

cgt_rd cgt_item_double(cgt_t p) {
  return real([&] { return T(p).item().toDouble(); });
}

cgt_rs cgt_to_string(cgt_t p) {
  return text([&] {
    std::ostringstream s;
    s << T(p);
    return s.str();
  });
}

// PyTorch's pickle of one tensor, readable by torch.load.
cgt_rs cgt_encode(cgt_t p) {
  return text([&] { return torch::jit::pickle_save(T(p).detach().cpu()); });
}

cgt_rt cgt_decode(const char* p, int64_t n) {
  return one([&] {
    c10::IValue v = torch::jit::pickle_load(std::vector<char>(p, p + n));
    TORCH_CHECK(v.isTensor(), "the pickle holds a ", v.tagKind(), " and not a Tensor");
    return v.toTensor();
  });
}

char* cgt_set_data(cgt_t p, cgt_t source) {
  return nothing([&] {
    T(p).set_data(T(source));
    // It counts as no change, and the memory may be what an earlier value lay in.
    gotorch::kernels::forget_packed_weight(T(p));
  });
}

cgt_rt cgt_to(cgt_t p, int8_t device_type, int16_t device_index, int8_t d, int8_t non_blocking,
              int8_t copy) {
  return one([&] {
    const at::Tensor t = T(p);
    at::Device dev = device_type < 0 ? t.device() : device(device_type, device_index);
    return t.to(dev, d < 0 ? t.scalar_type() : dtype(d), non_blocking, copy);
  });
}

cgt_rt cgt_pin_memory(cgt_t p) {
  return one([&] { return T(p).pin_memory(); });
}

}  // extern "C"
