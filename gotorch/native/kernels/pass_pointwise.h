// The pointwise passes at the ends of a chain of blocks, where there is no convolution to hide in.
#pragma once

#include "pass_pack.h"

namespace gotorch::kernels {

template <class I>
void normalise(const Normalise& t) {
  for (ptrdiff_t i = 0; i < t.pixels; i++) {
    const ptrdiff_t at = i * t.channels;
    float* y = t.out + at;
    lazy_row<I>(t.raw + at, t.lazy.scale, t.lazy.offset, t.lazy.relu, t.channels, y);
    if (!t.residual && !t.relu_last) continue;
    for (int c = 0; c < t.channels; c++) {
      const float v = t.residual ? y[c] + t.residual[at + c] : y[c];
      y[c] = t.relu_last && !(v > 0) ? 0 : v;
    }
  }
}

template <class I, bool kWhole>
GOTORCH_INLINE void reduce_channels(const ReduceGradient& t, int c, ptrdiff_t first,
                                    ptrdiff_t last) {
  const int count = t.channels - c;
  typename I::V sum = I::zero(), dot = I::zero(), mean = I::zero();
  if (t.sum) mean = kWhole ? I::load(t.mean + c) : load_some<I>(t.mean + c, count);
  for (ptrdiff_t i = first; i < last; i++) {
    const ptrdiff_t at = i * t.channels + c;
    typename I::V d = kWhole ? I::load(t.g + at) : load_some<I>(t.g + at, count);
    if (t.positive) {
      d = I::keep_positive(
          d, kWhole ? I::load(t.positive + at) : load_some<I>(t.positive + at, count));
      if (kWhole)
        I::store(t.masked + at, d);
      else
        store_some<I>(t.masked + at, d, count);
    }
    if (!t.sum) continue;
    const typename I::V raw = kWhole ? I::load(t.raw + at) : load_some<I>(t.raw + at, count);
    sum = I::add(sum, d);
    dot = I::fma(d, I::sub(raw, mean), dot);
  }
  if (!t.sum) return;
  float s[I::W], q[I::W];
  I::store(s, sum), I::store(q, dot);
  for (int i = 0; i < I::W; i++)
    if (i < count) t.sum[c + i] += s[i], t.dot[c + i] += q[i];
}

template <class I>
void reduce_gradient(const ReduceGradient& t) {
  constexpr ptrdiff_t kPixels = 256;  // per single-precision sum
  for (ptrdiff_t i = 0; i < t.pixels; i += kPixels) {
    const ptrdiff_t end = t.pixels - i < kPixels ? t.pixels : i + kPixels;
    for (int c = 0; c < t.channels; c += I::W) {
      if (t.channels - c >= I::W)
        reduce_channels<I, true>(t, c, i, end);
      else
        reduce_channels<I, false>(t, c, i, end);
    }
  }
}

}  // namespace gotorch::kernels
