#include "winograd.h"

#include <algorithm>

#include "kernels.h"

namespace gotorch::kernels {

namespace {

// A vector of transformed weights is read once a block: this many tiles hide its way from the
// third-level cache, and their transforms stay in it.
constexpr int kTilesPerBlock = 66;
// Fewer channels than a vector leave the products with too little work for the transforms.
constexpr int kFewestChannels = 12;

}  // namespace

bool winograd_fits(const ConvShape& q) {
  return !q.depthwise && q.stride_h <= 2 && q.stride_w <= 2 && ceil_div(q.r, q.stride_h) == kTaps &&
         ceil_div(q.s, q.stride_w) == kTaps;
}

namespace {

double taps_read(const std::vector<TapRun>& runs) {
  double sum = 0;
  for (const TapRun& r : runs) sum += static_cast<double>(r.last - r.first) * (r.tap1 - r.tap0);
  return sum;
}

}  // namespace

bool winograd_pays(const ConvShape& q, int threads) {
  if (!winograd_fits(q) || q.k < kFewestChannels || phase_channels(q) < kFewestChannels)
    return false;
  // In multiply-adds of sixteen channels, which a core does about one of a cycle. The transforms of a
  // tile cost about 200 of them per sixteen channels; a vector of weights costs 8 to fetch and, with its
  // transform, 60 more to make.
  const double tiles =
      static_cast<double>(q.n) * ceil_div(q.oh(), kTile) * ceil_div(q.ow(), kTile) / threads;
  const double pixels = static_cast<double>(q.n) * q.oh() * q.ow() / threads;
  const double in = phase_channels(q), out = ceil_div(q.k, 16);
  const double taps = taps_read(tap_runs(q.oh(), q.h, q.stride_h, q.pad_h, q.r)) *
                      taps_read(tap_runs(q.ow(), q.w, q.stride_w, q.pad_w, q.s)) / q.oh() / q.ow();
  const double direct = 1.15 * std::max(pixels, 8.0) * taps * q.c * out;
  const double winograd = kPoints * in * out * (1.1 * std::max(tiles, 8.0) + 8) +
                          tiles * 200 * (in / 16 + out) + in * out * 60;
  return winograd < 0.9 * direct;
}

std::vector<Block> winograd_blocks(const ConvShape& q, int threads) {
  const int rows = ceil_div(q.oh(), kTile), cols = ceil_div(q.ow(), kTile), image = rows * cols;
  int want = image > kTilesPerBlock ? q.n * ceil_div(rows, std::max(1, kTilesPerBlock / cols))
                                    : ceil_div(q.n, kTilesPerBlock / image);
  want = ceil_div(std::max(want, threads), threads) * threads;
  std::vector<Block> blocks = split(q.n, rows, want);
  for (Block& b : blocks) b.r0 *= kTile, b.r1 = std::min(b.r1 * kTile, q.oh());
  return blocks;
}

WinogradTaps WinogradWeight::taps(int in, int out) const {
  const ConvShape& q = weight.shape;
  const int run = q.stride_w * q.c;
  const int k = transposed ? in : out, phase_h = transposed ? out / group : in / run;
  const int at = transposed ? out % group : in % run;
  if (k >= q.k || phase_h >= q.stride_h || at >= run) return {};
  const int phase_w = at / q.c;
  const ptrdiff_t row = q.stride_h * weight.stride_r, col = q.stride_w * weight.stride_s;
  const int rows = ceil_div(q.r - phase_h, q.stride_h), cols = ceil_div(q.s - phase_w, q.stride_w);
  float* first = const_cast<float*>(weight.weight) + k * weight.stride_k +
                 at % q.c * weight.stride_c + phase_h * weight.stride_r + phase_w * weight.stride_s;
  if (!transposed) return {first, row, col, 0, rows, 0, cols};
  // The data gradient meets the taps in reverse.
  return {first + (rows - 1) * row + (cols - 1) * col,
          -row,
          -col,
          kTaps - rows,
          kTaps,
          kTaps - cols,
          kTaps};
}

}  // namespace gotorch::kernels
