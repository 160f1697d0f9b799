#include "geometry.h"

#include <algorithm>

namespace gotorch::kernels {

std::vector<Block> split(int n, int rows, int want) {
  std::vector<Block> blocks;
  if (want <= n) {
    for (int i = 0; i < want; i++) {
      const auto at = [&](int j) { return static_cast<int>(static_cast<long long>(n) * j / want); };
      blocks.push_back({at(i), at(i + 1), 0, rows});
    }
    return blocks;
  }
  int bands = ceil_div(want, n);
  if (bands > rows) bands = rows;
  for (int image = 0; image < n; image++)
    for (int i = 0; i < bands; i++)
      blocks.push_back({image, image + 1, rows * i / bands, rows * (i + 1) / bands});
  return blocks;
}

std::vector<TapRun> tap_runs(int outputs, int size, int stride, int pad, int taps) {
  std::vector<TapRun> runs;
  long long read = 0;
  for (int i = 0; i < outputs; i++) {
    const int first = i * stride - pad;  // input that the first tap meets
    int tap0 = std::clamp(-first, 0, taps), tap1 = std::clamp(size - first, 0, taps);
    if (tap1 <= tap0) tap0 = tap1 = 0;
    read += tap1 - tap0;
    if (!runs.empty() && runs.back().tap0 == tap0 && runs.back().tap1 == tap1)
      runs.back().last++;
    else
      runs.push_back({i, i + 1, tap0, tap1});
  }
  constexpr int kWorthwhile = 32;  // one tap in so many
  const long long all = static_cast<long long>(outputs) * taps;
  if ((all - read) * kWorthwhile < all) return {{0, outputs, 0, taps}};
  // What comes first is what a BatchNorm's statistics are first taken about: it should be like the rest.
  std::stable_sort(runs.begin(), runs.end(), [](const TapRun& a, const TapRun& b) {
    return a.last - a.first > b.last - b.first;
  });
  return runs;
}

std::vector<TapOutputs> tap_outputs(int outputs, int size, int stride, int pad, int taps) {
  std::vector<TapOutputs> all;
  for (int tap = 0; tap < taps; tap++) {
    const int first = tap < pad ? ceil_div(pad - tap, stride) : 0;
    all.push_back({first, std::min(outputs, floor_div(size - 1 + pad - tap, stride) + 1)});
  }
  return all;
}

}  // namespace gotorch::kernels
