// A histogram without a memory access a value: a value becomes a word with the bit of its bin set, and
// words are added up bit by bit, sixteen to one carry (Harley and Seal's counting of bits).
#pragma once

#include "micro_kernel.h"

namespace gotorch::kernels {

// An instruction set for this is one of micro_kernel.h that also has U, a vector of W words of 32 bits,
// and
//   hot(v)          1 << floor(v) where 0 <= v < 32, else 0; all else, NaN too, is 0
//   carry(a, b, c)  *a becomes the sums of a + b + c, bit by bit; returns their carries
//   any(u)          whether a bit is set
//   count(u, bit)   how many words have that bit
//   at_most(v, x, n)  n plus one in every word where v <= x
//   max(a, b)       of a and b; b where a is NaN

// Counts of 32 bins in every lane, as planes of bits: plane i has the bits worth 2^i.
template <class I>
struct Histogram {
  static constexpr int kWords = 16;  // added at once
  static constexpr int kPlanes = 16;
  static constexpr int kFull = (1 << kPlanes) / kWords - 1;  // times that fit
  typename I::U plane[kPlanes];
  int times = 0;

  GOTORCH_INLINE Histogram() { clear(); }

  GOTORCH_INLINE void clear() {
    for (auto& p : plane) p = I::none();
    times = 0;
  }

  // Adds word(0) ... word(kWords - 1). flush() before more than kFull times.
  template <class Word>
  GOTORCH_INLINE void add(Word word) {
    typename I::U one = plane[0], two = plane[1], four = plane[2], eight = plane[3];
    const auto pair = [&](int i) __attribute__((always_inline)) {
      const typename I::U first = word(i);
      return I::carry(&one, first, word(i + 1));
    };
    const auto quad = [&](int i) __attribute__((always_inline)) {
      const typename I::U first = pair(i);
      return I::carry(&two, first, pair(i + 2));
    };
    const auto half = [&](int i) __attribute__((always_inline)) {
      const typename I::U first = quad(i);
      return I::carry(&four, first, quad(i + 4));
    };
    const typename I::U first = half(0);
    typename I::U c = I::carry(&eight, first, half(8));
    plane[0] = one, plane[1] = two, plane[2] = four, plane[3] = eight;
    for (int k = 4; k < kPlanes && I::any(c); k++) c = I::carry(&plane[k], c, I::none());
    times++;
  }

  // Moves what was counted to bins, of which there are count.
  void flush(long long* bins, int count) {
    for (int k = 0; k < kPlanes; k++) {
      if (!I::any(plane[k])) continue;
      for (int b = 0; b < count; b++) bins[b] += static_cast<long long>(I::count(plane[k], b)) << k;
    }
    clear();
  }
};

}  // namespace gotorch::kernels
