// The pointwise passes at the ends of a chain of blocks, where there is no convolution to hide in.
#pragma once

#include "pass_pack.h"

namespace gotorch::kernels {

template <class I>
void normalise(const Normalise& t) {
  for (ptrdiff_t i = 0; i < t.pixels; i++) {
    const ptrdiff_t at = i * t.channels;
    float* y = t.out + at;
    lazy_row<I>(t.raw + at, t.lazy, t.channels, y);
    if (!t.residual && !t.relu_last) continue;
    const auto finish = [&](typename I::V v, typename I::V residual)
        __attribute__((always_inline)) {
      v = I::add(v, residual);
      return t.relu_last ? I::min(I::max0(v), I::set(t.cap)) : v;
    };
    int c = 0;
    for (; c + I::W <= t.channels; c += I::W)
      I::store(y + c,
               finish(I::load(y + c), t.residual ? I::load(t.residual + at + c) : I::zero()));
    if (c == t.channels) continue;
    const int rest = t.channels - c;
    store_some<I>(y + c,
                  finish(load_some<I>(y + c, rest),
                         t.residual ? load_some<I>(t.residual + at + c, rest) : I::zero()),
                  rest);
  }
}

// Pixels [first, last) of one vector of channels.
template <class I, bool kWhole>
GOTORCH_INLINE void reduce_channels(const ReduceGradient& t, int c, ptrdiff_t first,
                                    ptrdiff_t last) {
  using V = typename I::V;
  constexpr int kChains = 4;  // sums side by side, for the latency of an addition
  const int count = t.channels - c;
  const auto load = [&](const float* p) __attribute__((always_inline)) {
    return kWhole ? I::load(p) : load_some<I>(p, count);
  };
  V sum[kChains], dot[kChains], mean = I::zero(), scale = I::set(1), offset = I::zero();
#pragma GCC unroll 4
  for (int u = 0; u < kChains; u++) sum[u] = dot[u] = I::zero();
  if (t.sum) mean = load(t.mean + c);
  if (t.lazy.scale) scale = load(t.lazy.scale + c), offset = load(t.lazy.offset + c);
  const auto pixel = [&](ptrdiff_t i, int u) __attribute__((always_inline)) {
    const ptrdiff_t at = i * t.channels + c;
    V d = load(t.g + at), raw = I::zero();
    if (t.raw) raw = load(t.raw + at);
    if (t.positive || t.lazy.relu) {
      d = t.positive ? I::keep_between(d, load(t.positive + at), I::set(t.cap))
                     : I::keep_between(d, I::fma(raw, scale, offset), I::set(t.lazy.cap));
      if (kWhole)
        I::store(t.masked + at, d);
      else
        store_some<I>(t.masked + at, d, count);
    }
    sum[u] = I::add(sum[u], d);
    dot[u] = I::fma(d, I::sub(raw, mean), dot[u]);
  };
  ptrdiff_t i = first;
  for (; i + kChains <= last; i += kChains)
#pragma GCC unroll 4
    for (int u = 0; u < kChains; u++) pixel(i + u, u);
  for (; i < last; i++) pixel(i, 0);
  if (!t.sum) return;
  float s[I::W], q[I::W];
  I::store(s, I::add(I::add(sum[0], sum[1]), I::add(sum[2], sum[3])));
  I::store(q, I::add(I::add(dot[0], dot[1]), I::add(dot[2], dot[3])));
  for (int k = 0; k < I::W; k++)
    if (k < count) t.sum[c + k] += s[k], t.dot[c + k] += q[k];
}

template <class I>
void reduce_pixels(const ReduceGradient& t) {
  constexpr ptrdiff_t kPixels = 32;  // to a sum of single precision, four of which run side by side
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

template <class I>
void reduce_gradient(const ReduceGradient& t) {
  // Where several pixels fit in a vector, they are taken for one with as many channels.
  const int fold = I::W / t.channels;
  if (fold < 2 || I::W % t.channels) return reduce_pixels<I>(t);
  float mean[I::W], scale[I::W], offset[I::W];
  double sum[I::W] = {}, dot[I::W] = {};
  for (int i = 0; i < I::W; i++) {
    const int c = i % t.channels;
    mean[i] = t.sum ? t.mean[c] : 0;
    scale[i] = t.lazy.scale ? t.lazy.scale[c] : 1, offset[i] = t.lazy.scale ? t.lazy.offset[c] : 0;
  }
  ReduceGradient u = t;
  u.pixels = t.pixels / fold, u.channels = I::W, u.mean = mean;
  u.lazy.scale = scale, u.lazy.offset = offset;
  if (t.sum) u.sum = sum, u.dot = dot;
  reduce_pixels<I>(u);
  for (int i = 0; t.sum && i < I::W; i++)
    t.sum[i % t.channels] += sum[i], t.dot[i % t.channels] += dot[i];
  // The pixels left over.
  const ptrdiff_t done = u.pixels * I::W;
  u = t;
  u.pixels = t.pixels % fold;
  u.g += done;
  if (u.raw) u.raw += done;
  if (u.positive) u.positive += done;
  if (u.masked) u.masked += done;
  reduce_pixels<I>(u);
}

}  // namespace gotorch::kernels
