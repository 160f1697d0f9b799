// Statistics of activations, in one pass over memory.
#pragma once

#include "histogram.h"

namespace gotorch::kernels {

// What is counted of values times 4: a bin is a quarter wide.
template <class I>
struct Counter {
  using V = typename I::V;
  static constexpr int kWords = Histogram<I>::kWords, kValues = kWords * I::W;
  Histogram<I> low, high;  // bins 0 to 31, 32 to 39
  typename I::U near_zero;
  double sum[I::W] = {}, square[I::W] = {};  // of 4 * (value - shift)

  // The compiler's own would not be for the instruction set.
  GOTORCH_INLINE Counter() : near_zero(I::none()) {}

  // Takes kWords vectors value(i).
  template <class Value>
  GOTORCH_INLINE void take(Value value, ValueCounts* counts) {
    V sums[4], squares[4], largest = I::zero();
    for (int i = 0; i < 4; i++) sums[i] = squares[i] = I::zero();
    const V about = I::set(4 * counts->shift), limit = I::set(4 * 0.05f);
    low.add([&](int i) __attribute__((always_inline)) {
      const V v = value(i), d = I::sub(v, about);
      near_zero = I::at_most(v, limit, near_zero);
      largest = I::max(v, largest);
      sums[i % 4] = I::add(sums[i % 4], d);
      squares[i % 4] = I::fma(d, d, squares[i % 4]);
      return I::hot(v);
    });
    add_to_double<I>(sum, I::add(I::add(sums[0], sums[1]), I::add(sums[2], sums[3])));
    add_to_double<I>(square,
                     I::add(I::add(squares[0], squares[1]), I::add(squares[2], squares[3])));
    if (I::any(I::at_most(I::set(32), largest, I::none())))
      high.add([&](int i) __attribute__((always_inline)) { return I::hot_high(value(i)); });
    if (low.times == Histogram<I>::kFull) flush(counts);
  }

  void flush(ValueCounts* counts) {
    low.flush(counts->bins, 32), high.flush(counts->bins + 32, 8);
    counts->near_zero += I::total(near_zero);
    near_zero = I::none();
    for (int i = 0; i < I::W; i++) {
      counts->sum += sum[i] / 4, counts->square += square[i] / 16;
      sum[i] = square[i] = 0;
    }
  }
};

// One value that fills no vector.
template <class I>
GOTORCH_INLINE void observe_value(float v, ValueCounts* counts) {
  counts->near_zero += v <= 0.05f;
  if (v >= 0 && v <= 10) counts->bins[v < 10 ? static_cast<int>(v * 4) : 39]++;
  const double d = static_cast<double>(v) - counts->shift;
  counts->sum += d, counts->square += d * d;
}

// Values as they are: counted, then through the ReLU.
template <class I>
GOTORCH_INLINE void observe_raw(const Observe& t) {
  Counter<I> counter;
  const typename I::V four = I::set(4), cap = I::set(t.cap);
  ptrdiff_t at = 0;
  for (; at + Counter<I>::kValues <= t.values; at += Counter<I>::kValues) {
    float* v = t.raw + at;
    counter.take(
        [&](int i) __attribute__((always_inline)) { return I::mul(I::load(v + i * I::W), four); },
        t.counts);
    if (!t.relu) continue;
    for (int i = 0; i < Counter<I>::kValues; i += I::W)
      I::store(v + i, I::min(I::max0(I::load(v + i)), cap));
  }
  counter.flush(t.counts);
  for (; at < t.values; at++) {
    float& v = t.raw[at];
    observe_value<I>(v, t.counts);
    if (t.relu) v = v < 0 ? 0 : v > t.cap ? t.cap : v;
  }
}

// The BatchNorm's values raw*scale + offset, of which nothing is written.
template <class I>
GOTORCH_INLINE void observe_norm(const Observe& t) {
  Counter<I> counter;
  ptrdiff_t at = 0;
  int channel = 0;
  for (; at + Counter<I>::kValues <= t.values; at += Counter<I>::kValues) {
    const float *v = t.raw + at, *a = t.scale4 + channel, *b = t.offset4 + channel;
    counter.take(
        [&](int i) __attribute__((always_inline)) {
          const int j = i * I::W;
          return I::fma(I::load(v + j), I::load(a + j), I::load(b + j));
        },
        t.counts);
    channel = (channel + Counter<I>::kValues) % t.channels;
  }
  counter.flush(t.counts);
  for (; at < t.values; at++) {
    observe_value<I>((t.raw[at] * t.scale4[channel] + t.offset4[channel]) / 4, t.counts);
    channel = (channel + 1) % t.channels;
  }
}

template <class I>
void observe(const Observe& t) {
  t.scale4 ? observe_norm<I>(t) : observe_raw<I>(t);
  t.counts->values += t.values;
}

}  // namespace gotorch::kernels
