// Weight gradient: outer products of packed input and packed output gradient, summed over the pixels whose input is no
// padding.
#pragma once

#include "micro_kernel.h"

namespace gotorch::kernels {

using OuterTile = void (*)(const Rows&, const float*, const float*, float*);

template <class I, int J, int N>
void outer_tile_of(const Rows& q, const float* x, const float* g, float* out) {
  outer_tile<I, J, N>(q, x, g, out);
}

// outer_tile for a number of columns known at run time only.
template <class I, int J, int N>
struct OuterTiles {
  static OuterTile get(int columns) {
    return columns == J ? outer_tile_of<I, J, N> : OuterTiles<I, J - 1, N>::get(columns);
  }
};
template <class I, int N>
struct OuterTiles<I, 0, N> {
  static OuterTile get(int) { return nullptr; }
};

// A tile's sums stay in registers over about this many pixels: long enough to hide loading and
// storing them, short enough that the pixels stay in the first-level cache for the next tile.
constexpr int kPixelsPerChunk = 128;

template <class I, int J, int N>
void weight_gradient(const WeightGradient& t) {
  const ConvShape& q = t.shape;
  const PackedInput px = packed_input(q, t.block);
  const PackedGradient& pg = t.layout;
  const Tiling tiles = tiling(q, J);
  const int len = q.s * q.c, ow = q.ow(), panels = ceil_div(q.k, t.width);
  const int last_columns = len - (tiles.per_row - 1) * tiles.columns;
  const OuterTile whole = OuterTiles<I, J, N>::get(tiles.columns);
  const OuterTile last = OuterTiles<I, J, N>::get(last_columns);
  const int rows = t.block.rows(), images = t.block.images();
  const int image_pixels = rows * ow;
  const int chunk_rows = image_pixels > kPixelsPerChunk ? ceil_div(kPixelsPerChunk, ow) : rows;
  const int chunk_images = image_pixels < kPixelsPerChunk ? kPixelsPerChunk / image_pixels : 1;
  Rows walk;
  walk.x_step = static_cast<ptrdiff_t>(q.stride_w) * q.c;
  walk.x_row = q.stride_h * px.row, walk.x_image = px.image;
  walk.g_step = t.width, walk.g_row = pg.row, walk.g_image = pg.image;
  const ptrdiff_t g_origin =
      (t.block.r0 - pg.row0) * pg.row - pg.col0 * static_cast<ptrdiff_t>(t.width);
  for (int n = 0; n < images; n += chunk_images) {
    walk.images = images - n < chunk_images ? images - n : chunk_images;
    for (int row = 0; row < rows; row += chunk_rows) {
      const int end = rows - row < chunk_rows ? rows : row + chunk_rows;
      const float* x = t.x + n * px.image;
      const float* g = t.g + g_origin + n * pg.image;
      for (int tile = t.tile0; tile < q.r * tiles.per_row; tile += t.tile_step) {
        const int kernel_row = tile / tiles.per_row, i = tile % tiles.per_row;
        const int column = i * tiles.columns;
        const OuterTile run = i + 1 < tiles.per_row ? whole : last;
        const int end_column = column + (i + 1 < tiles.per_row ? tiles.columns : last_columns);
        const TapOutputs of_row = t.rows[kernel_row];
        const int row0 = of_row.first - t.block.r0 > row ? of_row.first - t.block.r0 : row;
        const int row1 = of_row.last - t.block.r0 < end ? of_row.last - t.block.r0 : end;
        // Of the taps that the columns belong to the last begins first, and the first ends last.
        const int col0 = t.cols[(end_column - 1) / q.c].first, col1 = t.cols[column / q.c].last;
        walk.rows = row1 - row0, walk.cols = col1 - col0;
        if (walk.rows <= 0 || walk.cols <= 0) continue;
        const ptrdiff_t from =
            row0 * walk.x_row + col0 * walk.x_step + kernel_row * px.row + column;
        const ptrdiff_t by = row0 * pg.row + col0 * walk.g_step;
        for (int panel = 0; panel < panels; panel++) {
          const ptrdiff_t at = (static_cast<ptrdiff_t>(panel) * q.r + kernel_row) * len + column;
          run(walk, x + from, g + by + panel * pg.panel, t.out + at * t.width);
        }
      }
    }
  }
}

}  // namespace gotorch::kernels
