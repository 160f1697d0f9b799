// Forward: convolution with bias, ReLU and the sums of BatchNorm taken while the results are still
// in registers.
#pragma once

#include "micro_kernel.h"
#include "moments.h"

namespace gotorch::kernels {

// After this many tiles the single-precision sums of a chunk move to double precision.
constexpr int kTilesPerChunk = 32;

template <class I, int N>
struct ForwardEpilogue {
  using V = typename I::V;
  const Forward& t;
  int channel, valid;  // first channel of the panel, channels in it
  V bias[N], shift[N], square[N];
  ExactSum<I> sum[N];
  int tiles = 0, chunk = 0;  // of the chunk: tiles, pixels
  ptrdiff_t pixels = 0;      // of the chunks before it

  GOTORCH_INLINE ForwardEpilogue(const Forward& task, int panel)
      : t(task), channel(panel * task.width), valid(task.shape.k - channel) {
    for (int v = 0; v < N; v++) {
      bias[v] = I::load(t.bias + channel + v * I::W);
      shift[v] = square[v] = I::zero();
      sum[v].clear();
    }
  }

  template <int P>
  GOTORCH_INLINE void start(V (&acc)[P][N]) const {
#pragma GCC unroll 32
    for (int p = 0; p < P; p++)
#pragma GCC unroll 8
      for (int v = 0; v < N; v++) acc[p][v] = bias[v];
  }

  template <int P>
  GOTORCH_INLINE void finish(V (&acc)[P][N], const ptrdiff_t (&y)[P], int count) {
    if (t.keep_negative) return finish_observed(acc, y, count);
    if (t.relu) {
      const V cap = I::set(t.cap);
#pragma GCC unroll 32
      for (int p = 0; p < P; p++)
#pragma GCC unroll 8
        for (int v = 0; v < N; v++) acc[p][v] = I::min(I::max0(acc[p][v]), cap);
    }
    if (t.mean) collect(acc, count);
    if (count == P && valid >= N * I::W && !t.scale && !t.residual && !t.relu_last) {
#pragma GCC unroll 32
      for (int p = 0; p < P; p++)
#pragma GCC unroll 8
        for (int v = 0; v < N; v++) I::store(t.out + y[p] + channel + v * I::W, acc[p][v]);
      return;
    }
    V copy[P][N];
    for (int p = 0; p < P; p++)
      for (int v = 0; v < N; v++) copy[p][v] = acc[p][v];
    for (int p = 0; p < count; p++)
      for (int v = 0; v < N; v++) put(copy[p][v], y[p] + channel + v * I::W, channel + v * I::W);
  }

  // finish with the ReLU left to the pass that observes; the statistics are the same to the bit.
  template <int P>
  GOTORCH_INLINE void finish_observed(V (&acc)[P][N], const ptrdiff_t (&y)[P], int count) {
    if (count == P && valid >= N * I::W) {
#pragma GCC unroll 32
      for (int p = 0; p < P; p++)
#pragma GCC unroll 8
        for (int v = 0; v < N; v++) I::store(t.out + y[p] + channel + v * I::W, acc[p][v]);
    } else {
      V copy[P][N];
      for (int p = 0; p < P; p++)
        for (int v = 0; v < N; v++) copy[p][v] = acc[p][v];
      for (int p = 0; p < count; p++)
        for (int v = 0; v < N; v++) put(copy[p][v], y[p] + channel + v * I::W, channel + v * I::W);
    }
    if (!t.mean) return;
#pragma GCC unroll 32
    for (int p = 0; p < P; p++)
#pragma GCC unroll 8
      for (int v = 0; v < N; v++) acc[p][v] = I::min(I::max0(acc[p][v]), I::set(t.cap));
    collect(acc, count);
  }

  GOTORCH_INLINE void put(V value, ptrdiff_t at, int c) const {
    const int left = t.shape.k - c;
    if (left <= 0) return;
    if (t.scale) value = I::fma(value, I::load(t.scale + c), I::load(t.offset + c));
    if (t.residual)
      value = I::add(value,
                     left >= I::W ? I::load(t.residual + at) : load_some<I>(t.residual + at, left));
    if (t.relu_last) value = I::min(I::max0(value), I::set(t.cap));
    if (left >= I::W)
      I::store(t.out + at, value);
    else
      store_some<I>(t.out + at, value, left);
  }

  // Sums of (y - shift) and its square over a chunk. The shift is the mean of the chunk before (of the
  // first tile, at first): where a chunk lies far from it, so far that its own deviations drown, the two
  // means lie as far apart, and the variance of their union is of the size of what was lost from.
  template <int P>
  GOTORCH_INLINE void collect(V (&acc)[P][N], int count) {
    if (pixels == 0 && chunk == 0) {
      const V scale = I::set(1.0f / static_cast<float>(count));
      for (int v = 0; v < N; v++) {
        V mean = I::zero();
        for (int p = 0; p < count; p++) mean = I::add(mean, I::mul(acc[p][v], scale));
        shift[v] = mean;
      }
    }
    chunk += count;
    if (count == P) {
#pragma GCC unroll 8
      for (int v = 0; v < N; v++) {
        V s[2], q[2];
#pragma GCC unroll 32
        for (int p = 0; p < P; p++) {
          const V d = I::sub(acc[p][v], shift[v]);
          s[p % 2] = p < 2 ? d : I::add(s[p % 2], d);
          q[p % 2] = p < 2 ? I::mul(d, d) : I::fma(d, d, q[p % 2]);
        }
        sum[v].add(I::add(s[0], s[1]));
        square[v] = I::add(square[v], I::add(q[0], q[1]));
      }
    } else {
      V copy[P][N];
      for (int p = 0; p < P; p++)
        for (int v = 0; v < N; v++) copy[p][v] = acc[p][v];
      for (int p = 0; p < count; p++)
        for (int v = 0; v < N; v++) {
          const V d = I::sub(copy[p][v], shift[v]);
          sum[v].add(d);
          square[v] = I::fma(d, d, square[v]);
        }
    }
    if (++tiles == kTilesPerChunk) flush();
  }

  // Joins the chunk to the block's statistics.
  void flush() {
    if (!t.mean || chunk == 0) return;
    for (int v = 0; v < N; v++) {
      double sums[I::W];
      float squares[I::W], means[I::W];
      sum[v].take(sums), I::store(squares, square[v]), I::store(means, shift[v]);
      for (int i = 0; i < I::W; i++) {
        double &mean = t.mean[channel + v * I::W + i], &all = t.squares[channel + v * I::W + i];
        const double off = sums[i] / chunk;  // of the chunk's mean from the shift
        Moments block{static_cast<double>(pixels), mean, all};
        block.join({static_cast<double>(chunk), means[i] + off, squares[i] - sums[i] * off});
        mean = block.mean, all = block.squares;
        means[i] = static_cast<float>(means[i] + off);
      }
      shift[v] = I::load(means);
      square[v] = I::zero();
    }
    pixels += chunk;
    tiles = chunk = 0;
  }
};

// The outputs of a block, over its packed input.
GOTORCH_INLINE Walk forward_walk(const ConvShape& q, const Block& b, const PackedInput& p) {
  Walk walk;
  walk.images = b.images(), walk.rows = b.rows(), walk.cols = q.ow();
  walk.x_image = p.image, walk.x_row = q.stride_h * p.row;
  walk.x_col = static_cast<ptrdiff_t>(q.stride_w) * q.c;
  walk.y_col = q.k, walk.y_row = static_cast<ptrdiff_t>(q.ow()) * q.k;
  walk.y_image = q.oh() * walk.y_row;
  walk.y = b.n0 * walk.y_image + b.r0 * walk.y_row;
  return walk;
}

template <class I, int P, int N>
void forward(const Forward& t) {
  const ConvShape& q = t.shape;
  const PackedInput p = packed_input(q, t.block);
  const Walk walk = forward_walk(q, t.block, p);
  const ptrdiff_t column = static_cast<ptrdiff_t>(q.c) * t.width, row = q.s * column;
  for (int panel = t.panel0; panel < t.panel1; panel++) {
    ForwardEpilogue<I, N> epilogue(t, panel);
    each_run(
        walk, t.block.r0, t.rows, t.cols,
        [&](const Walk& part, ptrdiff_t x, const TapRun& r, const TapRun& c)
            __attribute__((always_inline)) {
              int segments = 0;
              for (int i = r.tap0; i < r.tap1; i++)
                t.segment[segments++] = {i * p.row + static_cast<ptrdiff_t>(c.tap0) * q.c,
                                         i * row + c.tap0 * column};
              sweep<I, P, N>(part, t.x + x, t.segment, segments, (c.tap1 - c.tap0) * q.c,
                             t.weight + panel * q.r * row, epilogue);
            });
    epilogue.flush();
  }
}

}  // namespace gotorch::kernels
