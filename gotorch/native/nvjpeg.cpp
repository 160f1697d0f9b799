// Decoding JPEG files with NVIDIA's nvJPEG, which is opened at run time.
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "cuda/table.h"
#include "nvjpeg_calls.h"
#include "shim.h"

using namespace cgt;  // NOLINT

namespace gotorch::nvjpeg {

namespace {

struct Library {
  void* library = nullptr;
  GetProperty* property;
  CreateSimple* create;
  Destroy* destroy;
  StateCreate* state_create;
  StateDestroy* state_destroy;
  GetImageInfo* info;
  Decode* decode;
  BatchedInitialize* batched_initialize;
  DecodeBatched* decode_batched;

  explicit Library(const char* path) {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    TORCH_CHECK(library != nullptr, dlerror());
    find(path, "nvjpegGetProperty", &property);
    find(path, "nvjpegCreateSimple", &create);
    find(path, "nvjpegDestroy", &destroy);
    find(path, "nvjpegJpegStateCreate", &state_create);
    find(path, "nvjpegJpegStateDestroy", &state_destroy);
    find(path, "nvjpegGetImageInfo", &info);
    find(path, "nvjpegDecode", &decode);
    find(path, "nvjpegDecodeBatchedInitialize", &batched_initialize);
    find(path, "nvjpegDecodeBatched", &decode_batched);
  }

  template <typename F>
  void find(const char* path, const char* name, F** f) {
    *f = reinterpret_cast<F*>(dlsym(library, name));
    TORCH_CHECK(*f != nullptr, path, " has no function ", name);
  }
};

const char* name_of(Status s) {
  static const char* const names[] = {"success",
                                      "not initialized",
                                      "invalid parameter",
                                      "bad JPEG",
                                      "this kind of JPEG is not supported",
                                      "no memory",
                                      "execution failed, or no GPU",
                                      "the GPU's architecture is not supported",
                                      "internal error",
                                      "not implemented",
                                      "incomplete bitstream"};
  const auto n = static_cast<Status>(std::size(names));
  return s >= 0 && s < n ? names[s] : "unknown status";
}

void check(Status s, const char* function) {
  TORCH_CHECK(s == kSuccess, function, ": status ", s, ", ", name_of(s));
}

// Rows begin where GPUs like to write.
constexpr int64_t kAlign = 256;

}  // namespace

// Decodes on one device; used by one thread at a time.
class Decoder {
 public:
  Decoder(const char* path, c10::Device device) : lib_(path), device_(device) {
    const auto stream = enter();
    check(lib_.create(&handle_), "nvjpegCreateSimple");
    renew(&one_);
    renew(&several_);
  }

  ~Decoder() {
    for (const State state : {one_, several_})
      if (state != nullptr) lib_.state_destroy(state);
    lib_.destroy(handle_);
    // The library stays: threads of its own may still be ending.
  }

  std::string version() {
    std::string v;
    for (const int part : {kMajor, kMinor, kPatch}) {
      int number = 0;
      check(lib_.property(part, &number), "nvjpegGetProperty");
      v += (v.empty() ? "" : ".") + std::to_string(number);
    }
    return v;
  }

  // out[i] gets the [heights[i], widths[i], 3] bytes of file i where why[i] stays empty.
  void decode(const uint8_t* const* files, const int64_t* bytes, uint8_t* const* out,
              const int64_t* widths, const int64_t* heights, std::vector<std::string>* why) {
    const auto stream = enter();
    std::vector<size_t> which, lengths;
    std::vector<const unsigned char*> data;
    std::vector<int64_t> offsets;
    int64_t room = 0;
    for (size_t i = 0; i < why->size(); i++) {
      (*why)[i] = refused(files[i], bytes[i], widths[i], heights[i]);
      if (!(*why)[i].empty()) continue;
      which.push_back(i);
      data.push_back(files[i]);
      lengths.push_back(static_cast<size_t>(bytes[i]));
      offsets.push_back(room);
      room += (3 * widths[i] * heights[i] + kAlign - 1) / kAlign * kAlign;
    }
    if (which.empty()) return;
    const auto options = at::TensorOptions().dtype(at::kByte);
    const at::Tensor pixels = at::empty({room}, options.device(device_));
    std::vector<Image> images(which.size());
    for (size_t k = 0; k < which.size(); k++) {
      images[k].channel[0] = pixels.data_ptr<uint8_t>() + offsets[k];
      images[k].pitch[0] = static_cast<size_t>(3 * widths[which[k]]);
    }
    void* const queue = device_.is_cuda() ? cuda::needed().stream(device_.index()) : nullptr;
    if (which.size() == 1 || !together(data, lengths, &images, queue)) {
      for (size_t k = 0; k < which.size(); k++) {
        const Status s = lib_.decode(handle_, one_, data[k], lengths[k], kRGBI, &images[k], queue);
        if (s == kSuccess) continue;
        (*why)[which[k]] = std::string("nvjpegDecode: ") + name_of(s);
        renew(&one_);
      }
    }
    at::Tensor host = at::empty({room}, options.pinned_memory(device_.is_cuda()));
    host.copy_(pixels);  // waits for what was asked for above
    for (size_t k = 0; k < which.size(); k++) {
      const size_t i = which[k];
      if ((*why)[i].empty())
        memcpy(out[i], host.data_ptr<uint8_t>() + offsets[k], 3 * widths[i] * heights[i]);
    }
  }

 private:
  // Makes a stream of its own the thread's current one: the default stream's work is the training's.
  std::optional<c10::StreamGuard> enter() {
    if (!device_.is_cuda()) return std::nullopt;
    const c10::impl::VirtualGuardImpl guard(device_.type());
    if (!stream_) stream_ = guard.getStreamFromGlobalPool(device_);
    return std::optional<c10::StreamGuard>(std::in_place, *stream_);
  }

  // Why a file is not for nvJPEG.
  std::string refused(const uint8_t* file, int64_t bytes, int64_t width, int64_t height) {
    int components = 0, subsampling = 0, widths[4] = {}, heights[4] = {};
    const Status s = lib_.info(handle_, file, static_cast<size_t>(bytes), &components, &subsampling,
                               widths, heights);
    if (s != kSuccess) return std::string("nvjpegGetImageInfo: ") + name_of(s);
    if (components != 3) return std::to_string(components) + " colour components";
    if (widths[0] != width || heights[0] != height)
      return "nvJPEG sees " + std::to_string(widths[0]) + "x" + std::to_string(heights[0]) +
             " pixels";
    return "";
  }

  // Decodes as one batch; false, for one status stands for all, when any of them cannot be.
  bool together(const std::vector<const unsigned char*>& data, const std::vector<size_t>& lengths,
                std::vector<Image>* images, void* queue) {
    const int n = static_cast<int>(data.size());
    if (batch_ != n) {
      const int threads =
          static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
      if (lib_.batched_initialize(handle_, several_, n, threads, kRGBI) == kSuccess) batch_ = n;
    }
    if (batch_ == n && lib_.decode_batched(handle_, several_, data.data(), lengths.data(),
                                           images->data(), queue) == kSuccess)
      return true;
    renew(&several_);
    batch_ = 0;
    return false;
  }

  // Nothing is promised of a state after an error.
  void renew(State* state) {
    if (*state != nullptr) lib_.state_destroy(*state);
    *state = nullptr;
    check(lib_.state_create(handle_, state), "nvjpegJpegStateCreate");
  }

  Library lib_;
  c10::Device device_;
  Handle handle_ = nullptr;
  State one_ = nullptr, several_ = nullptr;  // of a file, of a batch
  int batch_ = 0;                            // that several_ is prepared for
  std::optional<c10::Stream> stream_;
};

}  // namespace gotorch::nvjpeg

struct cgt_nvjpeg {
  gotorch::nvjpeg::Decoder decoder;
};

extern "C" {

cgt_rp cgt_nvjpeg_open(const char* path, int8_t device_type, int16_t device_index) {
  cgt_rp r{nullptr, nullptr};
  r.err = nothing([&] { r.v = new cgt_nvjpeg{{path, device(device_type, device_index)}}; });
  return r;
}

cgt_rs cgt_nvjpeg_version(cgt_nvjpeg* d) {
  return text([&] { return d->decoder.version(); });
}

cgt_rs cgt_nvjpeg_decode(cgt_nvjpeg* d, const uint8_t** files, const int64_t* bytes, uint8_t** out,
                         const int64_t* widths, const int64_t* heights, int64_t n) {
  return text([&] {
    std::vector<std::string> why(n);
    d->decoder.decode(files, bytes, out, widths, heights, &why);
    std::string lines;
    for (const std::string& w : why) lines += w + "\n";
    return lines;
  });
}

void cgt_nvjpeg_close(cgt_nvjpeg* d) { delete d; }

}  // extern "C"
