// Weights between libtorch's tensors and the layouts of the passes, and the choice of a table.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels.h"

namespace gotorch::kernels {

void pack_weight(const PackWeight& p, int width, int panel0, int panel1, float* out) {
  const ConvShape& q = p.shape;
  const ptrdiff_t len = static_cast<ptrdiff_t>(q.r) * q.s * q.c;
  for (int panel = panel0; panel < panel1; panel++) {
    float* const base = out + panel * len * width;
    for (int u = 0; u < width; u++) {
      const int k = panel * width + u;
      for (int c = 0; c < q.c; c++) {
        for (int i = 0; i < q.r * q.s; i++) {
          const float* w = p.weight + k * p.stride_k + c * p.stride_c + i / q.s * p.stride_r +
                           i % q.s * p.stride_s;
          base[(static_cast<ptrdiff_t>(i) * q.c + c) * width + u] = k < q.k ? *w : 0;
        }
      }
    }
  }
}

void pack_weight_transposed(const PackWeight& p, int width_k, int width_c, int panel0, int panel1,
                            float* out) {
  const ConvShape& q = p.shape;
  const int panels_k = ceil_div(q.k, width_k), panels_c = ceil_div(q.c, width_c);
  for (int klass = 0; klass < q.stride_h * q.stride_w; klass++) {
    const Residue a = residue(klass / q.stride_w, q.pad_h, q.r, q.stride_h);
    const Residue b = residue(klass % q.stride_w, q.pad_w, q.s, q.stride_w);
    const ptrdiff_t taps = static_cast<ptrdiff_t>(a.taps) * b.taps * panels_k * width_k;
    float* const base = out + residue_offset(q, klass, panels_k * width_k, panels_c * width_c);
    for (int panel = panel0; panel < panel1; panel++) {
      float* y = base + panel * taps * width_c;
      for (int pk = 0; pk < panels_k; pk++)
        for (int i = a.taps - 1; i >= 0; i--)
          for (int j = b.taps - 1; j >= 0; j--) {
            const float* w = p.weight + (a.tap0 + q.stride_h * i) * p.stride_r +
                             (b.tap0 + q.stride_w * j) * p.stride_s;
            for (int u = 0; u < width_k; u++)
              for (int e = 0; e < width_c; e++) {
                const int k = pk * width_k + u, c = panel * width_c + e;
                *y++ = k < q.k && c < q.c ? w[k * p.stride_k + c * p.stride_c] : 0;
              }
          }
    }
  }
}

void unpack_weight(const PackWeight& p, int width, const float* const* parts, int count, int panel0,
                   int panel1, float* out) {
  const ConvShape& q = p.shape;
  const ptrdiff_t len = static_cast<ptrdiff_t>(q.r) * q.s * q.c;
  for (int k = panel0 * width; k < panel1 * width && k < q.k; k++) {
    const ptrdiff_t base = k / width * len * width + k % width;
    for (int c = 0; c < q.c; c++) {
      for (int i = 0; i < q.r * q.s; i++) {
        const ptrdiff_t at = base + (static_cast<ptrdiff_t>(i) * q.c + c) * width;
        float sum = parts[0][at];
        for (int part = 1; part < count; part++) sum += parts[part][at];
        out[k * p.stride_k + c * p.stride_c + i / q.s * p.stride_r + i % q.s * p.stride_s] = sum;
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
