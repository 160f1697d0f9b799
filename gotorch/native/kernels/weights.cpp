// Weights between libtorch's tensors and the layouts of the passes, and the choice of a table.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels.h"

namespace gotorch::kernels {

// Both packings read the weights in the order libtorch keeps them (kernel positions innermost) and write
// one run per kernel position, so that either side stays within a few cache lines at a time.

// Rows of the weight tensor read or written side by side. They lie a power of two or little else apart,
// so a few cache sets hold them all.
constexpr int kStreams = 8;

// Rows of the weight tensor that are fetched ahead where each is read in one short run: the processor sees no
// stream in those.
constexpr int kRowsAhead = 2;
constexpr ptrdiff_t kLine = 16;  // floats

void pack_weight(const PackWeight& p, int width, int panel0, int panel1, float* out) {
  const ConvShape& q = p.shape;
  const int taps = q.r * q.s;
  for (int k = panel0 * width; k < panel1 * width; k += kStreams) {
    float* const base = out + static_cast<ptrdiff_t>(k / width) * taps * q.c * width + k % width;
    const int valid = std::max(0, std::min(kStreams, q.k - k));
    const float* const from = p.weight + k * p.stride_k;
    for (int c = 0; c < q.c; c++) {
      for (int i = 0; i < taps; i++) {
        const float* w = from + c * p.stride_c + i / q.s * p.stride_r + i % q.s * p.stride_s;
        float* y = base + (static_cast<ptrdiff_t>(i) * q.c + c) * width;
        for (int u = 0; u < valid; u++) y[u] = w[u * p.stride_k];
        for (int u = valid; u < kStreams; u++) y[u] = 0;
      }
    }
  }
}

void pack_weight_transposed(const PackWeight& p, int width_k, int width_c, int panel0, int panel1,
                            float* out) {
  const ConvShape& q = p.shape;
  const int panels_k = ceil_div(q.k, width_k), panels_c = ceil_div(q.c, width_c);
  const int k_padded = panels_k * width_k, block = width_k * width_c;
  // Where each kernel position's first block of a panel goes, and how far apart its blocks for
  // consecutive panels of k are.
  struct Tap {
    const float* from;
    float* to;
    ptrdiff_t step;
  };
  std::vector<Tap> list;
  for (int panel = panel0; panel < panel1; panel++) {
    list.clear();
    for (int klass = 0; klass < q.stride_h * q.stride_w; klass++) {
      const Residue a = residue(klass / q.stride_w, q.pad_h, q.r, q.stride_h);
      const Residue b = residue(klass % q.stride_w, q.pad_w, q.s, q.stride_w);
      const ptrdiff_t taps = static_cast<ptrdiff_t>(a.taps) * b.taps;
      float* const base = out + residue_offset(q, klass, k_padded, panels_c * width_c) +
                          panel * taps * k_padded * width_c;
      for (int i = 0; i < a.taps; i++)
        for (int j = 0; j < b.taps; j++) {
          const ptrdiff_t place = static_cast<ptrdiff_t>(a.taps - 1 - i) * b.taps + b.taps - 1 - j;
          list.push_back({p.weight + (a.tap0 + q.stride_h * i) * p.stride_r +
                              (b.tap0 + q.stride_w * j) * p.stride_s,
                          base + place * block, taps * block});
        }
    }
    const int valid = std::min(width_c, q.c - panel * width_c);
    const ptrdiff_t stride = p.stride_c;
    for (int k = 0; k < k_padded; k++) {
      const ptrdiff_t from = k * p.stride_k + panel * width_c * stride;
      const ptrdiff_t to = k % width_k * width_c;
      const int count = k < q.k ? valid : 0;
      for (ptrdiff_t x = 0; k + kRowsAhead < q.k && x < valid * stride; x += kLine)
        __builtin_prefetch(p.weight + from + kRowsAhead * p.stride_k + x);
      for (const Tap& t : list) {
        const float* w = t.from + from;
        float* y = t.to + k / width_k * t.step + to;
        for (int e = 0; e < count; e++) y[e] = w[e * stride];
        for (int e = count; e < width_c; e++) y[e] = 0;
      }
    }
  }
}

void unpack_weight(const PackWeight& p, int width, const float* const* parts, int count, int panel0,
                   int panel1, float* out) {
  const ConvShape& q = p.shape;
  const int taps = q.r * q.s;
  for (int k = panel0 * width; k < panel1 * width && k < q.k; k += kStreams) {
    const ptrdiff_t base = static_cast<ptrdiff_t>(k / width) * taps * q.c * width + k % width;
    const int valid = std::min(kStreams, q.k - k);
    float* const to = out + k * p.stride_k;
    for (int c = 0; c < q.c; c++) {
      for (int i = 0; i < taps; i++) {
        const ptrdiff_t at = base + (static_cast<ptrdiff_t>(i) * q.c + c) * width;
        float sum[kStreams];
        std::copy(parts[0] + at, parts[0] + at + kStreams, sum);
        for (int part = 1; part < count; part++)
          for (int u = 0; u < kStreams; u++) sum[u] += parts[part][at + u];
        float* w = to + c * p.stride_c + i / q.s * p.stride_r + i % q.s * p.stride_s;
        for (int u = 0; u < valid; u++) w[u * p.stride_k] = sum[u];
      }
    }
  }
}

namespace {

const KernelTable& choose() {
  const char* name = std::getenv("GOTORCH_KERNELS_ISA");
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw");
  if (avx512 && (!name || !std::strcmp(name, "avx512"))) return avx512_kernels;
  if (avx2 && (!name || std::strcmp(name, "portable"))) return avx2_kernels;
#endif
  (void)name;
  return portable_kernels;
}

}  // namespace

const KernelTable& kernels() {
  static const KernelTable& table = choose();
  return table;
}

}  // namespace gotorch::kernels
