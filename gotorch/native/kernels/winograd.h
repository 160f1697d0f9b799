// Winograd's minimal filtering F(4x4, 3x3): which convolutions it runs, and how they are cut.
//
// Four outputs by four of a 3x3 convolution cost 36 multiplications per pair of channels instead of
// 144 (Lavin and Gray, 2016). A convolution of stride 2 with a 5x5 kernel is one of stride 1 with a
// 3x3 kernel over the four phases of its input, so it takes part: 36 instead of 100. docs/kernels.md
// has the matrices.
#pragma once

#include "geometry.h"

namespace gotorch::kernels {

constexpr int kTile = 4;                   // outputs of a tile along an axis
constexpr int kPatch = 6;                  // inputs of a tile along an axis
constexpr int kPoints = kPatch * kPatch;   // products per tile and pair of channels
constexpr int kTaps = kPatch - kTile + 1;  // kernel positions of a phase along an axis

// Input channels once the phases of the stride count as channels: [phase of row][phase of column][c].
inline int phase_channels(const ConvShape& q) { return q.stride_h * q.stride_w * q.c; }

// Output channels of the data gradient: those of a row's phases lie together, padded to a vector.
inline int phase_group(const ConvShape& q, int vector) {
  return ceil_div(q.stride_w * q.c, vector) * vector;
}

// The tiles of a block whose first row is a multiple of kTile (block.r0), over outputs.
struct Tiles {
  int images, rows, cols;
  int count() const { return images * rows * cols; }
};

inline Tiles output_tiles(const ConvShape& q, const Block& b) {
  return {b.images(), ceil_div(b.rows(), kTile), ceil_div(q.ow(), kTile)};
}

// The packed input of a block with all that its tiles read, zero-padded beyond the image.
inline PackedInput winograd_input_layout(const ConvShape& q, const Block& b) {
  const Tiles t = output_tiles(q, b);
  PackedInput p;
  p.rows = (t.rows * kTile + kTaps - 1) * q.stride_h;
  p.cols = (t.cols * kTile + kTaps - 1) * q.stride_w;
  p.row = static_cast<ptrdiff_t>(p.cols) * q.c;
  p.image = p.rows * p.row;
  return p;
}

// The data gradient along one axis: input index i = stride*a + phase - pad for a in [first, last).
struct PhaseRange {
  int first, last;
};

inline PhaseRange phase_range(int size, int pad, int stride) {
  const int first = pad / stride;
  return {first, first + ceil_div(size + pad - first * stride, stride)};
}

// The rows of phases whose gradient a block of output rows is responsible for.
inline PhaseRange phase_rows(const ConvShape& q, const Block& b) {
  const PhaseRange all = phase_range(q.h, q.pad_h, q.stride_h);
  const int last = b.r1 == q.oh() ? all.last : all.first + b.r1;
  return {all.first + b.r0, last < all.last ? last : all.last};
}

inline PhaseRange phase_cols(const ConvShape& q) { return phase_range(q.w, q.pad_w, q.stride_w); }

inline Tiles input_tiles(const ConvShape& q, const Block& b) {
  const PhaseRange rows = phase_rows(q, b), cols = phase_cols(q);
  const int count = rows.last - rows.first;
  return {b.images(), count > 0 ? ceil_div(count, kTile) : 0,
          ceil_div(cols.last - cols.first, kTile)};
}

// The packed output gradient of a block with all that the tiles of both gradients read.
inline PackedGradient winograd_gradient_layout(const ConvShape& q, const Block& b, int width) {
  const Tiles out = output_tiles(q, b), in = input_tiles(q, b);
  const PhaseRange rows = phase_rows(q, b), cols = phase_cols(q);
  const auto low = [](int own, int first) {
    return first - (kTaps - 1) < own ? first - (kTaps - 1) : own;
  };
  const auto high = [](int own, int first, int tiles) {
    return first + tiles * kTile > own ? first + tiles * kTile : own;
  };
  PackedGradient p;
  p.row0 = low(b.r0, rows.first), p.col0 = low(0, cols.first);
  p.rows = high(b.r0 + out.rows * kTile, rows.first, in.rows) - p.row0;
  p.cols = high(out.cols * kTile, cols.first, in.cols) - p.col0;
  p.row = static_cast<ptrdiff_t>(p.cols) * width;
  p.image = p.rows * p.row;
  p.panel = b.images() * p.image;
  return p;
}

// Whether a convolution of this shape has a Winograd form.
bool winograd_fits(const ConvShape& q);

// Whether that form is the faster one on so many threads: an estimate of arithmetic and weight traffic.
bool winograd_pays(const ConvShape& q, int threads);

// Blocks of whole tile rows, about kTilesPerBlock tiles each and as many for every thread.
std::vector<Block> winograd_blocks(const ConvShape& q, int threads);

}  // namespace gotorch::kernels
