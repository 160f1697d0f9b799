#include "geometry.h"

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

}  // namespace gotorch::kernels
