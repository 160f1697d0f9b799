// Statistics of activations: sums in vectors, then one increment a value.
#pragma once

#include <algorithm>

#include "micro_kernel.h"

namespace gotorch::kernels {

// Values looked at together: they stay in the first-level cache between the sums and the bins.
constexpr int kObserved = 512;

// The bin of every value of a chunk. Loops over a fixed count of plain arrays, so that the compiler
// takes vectors.
GOTORCH_INLINE void bins_of(const float* v, int (&bin)[kObserved]) {
  for (int i = 0; i < kObserved; i++) {
    float t = v[i] * 4;  // exact
    t = t >= 0 ? t : 41.0f;
    t = t <= 40 ? t : 41.0f;
    bin[i] = static_cast<int>(t);
  }
}

GOTORCH_INLINE int count_near_zero(const float* v) {
  int count = 0;
  for (int i = 0; i < kObserved; i++) count += v[i] <= 0.05f ? 1 : 0;
  return count;
}

// One chunk's values into counts. Four tables in turn: two values of one bin that follow each other
// do not wait for each other.
template <class I>
GOTORCH_INLINE void observe_chunk(const float* v, int count, float shift, int (*tables)[4][48],
                                  ValueCounts* counts) {
  typename I::V sum = I::zero(), square = I::zero();
  const typename I::V about = I::set(shift);
  float padded[kObserved];
  if (count < kObserved) {
    std::copy(v, v + count, padded);
    std::fill(padded + count, padded + kObserved, shift);  // adds nothing to the sums
    v = padded;
  }
  for (int i = 0; i < kObserved; i += I::W) {
    const typename I::V d = I::sub(I::load(v + i), about);
    sum = I::add(sum, d);
    square = I::fma(d, d, square);
  }
  float s[I::W], q[I::W];
  I::store(s, sum), I::store(q, square);
  for (int i = 0; i < I::W; i++) counts->sum += s[i], counts->square += q[i];
  int bin[kObserved];
  bins_of(v, bin);
  counts->near_zero += count_near_zero(v);
  if (count < kObserved && shift <= 0.05f) counts->near_zero -= kObserved - count;
  int i = 0;
  for (; i + 4 <= count; i += 4) {
    (*tables)[0][bin[i]]++;
    (*tables)[1][bin[i + 1]]++;
    (*tables)[2][bin[i + 2]]++;
    (*tables)[3][bin[i + 3]]++;
  }
  for (; i < count; i++) (*tables)[0][bin[i]]++;
}

inline void add_tables(const int (&tables)[4][48], ValueCounts* counts) {
  for (int b = 0; b < ValueCounts::kSlots; b++)
    for (int t = 0; t < 4; t++) counts->bins[b] += tables[t][b];
}

template <class I>
void observe(const Observe& t) {
  // Whole pixels a chunk, so that one pattern of scales fits all; a pixel of more channels than a
  // chunk holds is taken in pieces.
  const ptrdiff_t values = t.pixels * t.channels;
  const int wide = std::min(t.channels, kObserved);
  const int step = t.norm ? (wide < kObserved ? kObserved / wide * wide : kObserved) : kObserved;
  float scale[kObserved], offset[kObserved], y[kObserved] = {};
  int conv[4][48] = {}, norm[4][48] = {};
  const bool fixed = t.norm && t.channels <= kObserved;
  if (fixed)
    for (int i = 0; i < step; i++) scale[i] = t.scale[i % wide], offset[i] = t.offset[i % wide];
  ptrdiff_t flushed = 0;  // the tables hold ints
  for (ptrdiff_t at = 0; at < values;) {
    int count = static_cast<int>(std::min<ptrdiff_t>(step, values - at));
    const int channel = static_cast<int>(at % t.channels);
    if (t.norm && !fixed) count = std::min(count, t.channels - channel);
    float* v = t.raw + at;
    if (t.conv) observe_chunk<I>(v, count, t.shift, &conv, t.conv);
    if (t.relu)
      for (int i = 0; i < count; i++) v[i] = v[i] > 0 ? v[i] : (v[i] <= 0 ? 0.0f : v[i]);
    if (t.norm) {
      const float* a = fixed ? scale : t.scale + channel;
      const float* b = fixed ? offset : t.offset + channel;
      for (int i = 0; i < count; i++) y[i] = v[i] * a[i] + b[i];
      observe_chunk<I>(y, count, 0, &norm, t.norm);
    }
    at += count;
    if (at - flushed < 1 << 30 && at < values) continue;
    if (t.conv) add_tables(conv, t.conv);
    if (t.norm) add_tables(norm, t.norm);
    std::fill(&conv[0][0], &conv[0][0] + 4 * 48, 0),
        std::fill(&norm[0][0], &norm[0][0] + 4 * 48, 0);
    flushed = at;
  }
}

}  // namespace gotorch::kernels
