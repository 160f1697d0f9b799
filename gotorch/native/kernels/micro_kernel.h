// The two inner loops, written once over an instruction set. Include after the set is defined.
//
// An instruction set is a struct with: V, a vector of W floats; zero, load, store, broadcast, fma,
// add, sub, mul, max0, min, keep_between. Everything here is a template over it, so that code for one set
// never leaks into a function that another set calls.
#pragma once

#include "kernels.h"

namespace gotorch::kernels {

#define GOTORCH_INLINE inline __attribute__((always_inline))

// acc[p][v] += sum over segments and columns j of x[p][segment + j] * w[j][v].
//
// P pixels by N vectors of channels stay in registers: N loads and P broadcasts feed P*N
// multiply-adds. A pixel's operand is a list of segments of len consecutive floats (the kernel's
// rows), the same list of offsets for every pixel.
//
// All addresses are x[p] plus one running offset that the pixels share: a pixel pointer that does not
// find a register is then only read from the stack, once for four columns, never written back.
template <class I, int P, int N>
GOTORCH_INLINE void gemm_tile(const float* const (&x)[P], const Segment* segment, int segments,
                              int len, const float* weight, typename I::V (&acc)[P][N]) {
  // A copy that nothing points to, so that it stays in registers from segment to segment.
  typename I::V sum[P][N];
#pragma GCC unroll 32
  for (int p = 0; p < P; p++)
#pragma GCC unroll 8
    for (int v = 0; v < N; v++) sum[p][v] = acc[p][v];
  for (int i = 0; i < segments; i++) {
    ptrdiff_t at = segment[i].x;
    const float* w = weight + segment[i].weight;
    auto column = [&](int j) __attribute__((always_inline)) {
      typename I::V wv[N];
#pragma GCC unroll 8
      for (int v = 0; v < N; v++) wv[v] = I::load(w + (j * N + v) * I::W);
#pragma GCC unroll 32
      for (int p = 0; p < P; p++) {
        const typename I::V b = I::broadcast(x[p] + at + j);
#pragma GCC unroll 8
        for (int v = 0; v < N; v++) sum[p][v] = I::fma(b, wv[v], sum[p][v]);
      }
    };
    int j = 0;
    for (; j + 4 <= len; j += 4) {
      column(0), column(1), column(2), column(3);
      w += 4 * N * I::W;
      at += 4;
    }
    for (; j < len; j++) {
      column(0);
      w += N * I::W;
      at++;
    }
  }
#pragma GCC unroll 32
  for (int p = 0; p < P; p++)
#pragma GCC unroll 8
    for (int v = 0; v < N; v++) acc[p][v] = sum[p][v];
}

// Rows of pixels for outer_tile: count rows of cols pixels; consecutive pixels are x_step and g_step
// apart, rows and images as given.
struct Rows {
  int images, rows, cols;
  ptrdiff_t x_step, x_row, x_image;
  ptrdiff_t g_step, g_row, g_image;
};

// out[j][v] += sum over pixels of x[pixel][j] * g[pixel][v], for J columns and N vectors. The sum of
// one call starts from zero and is added to out at the end: partial sums stay short, rounding small.
template <class I, int J, int N>
GOTORCH_INLINE void outer_tile(const Rows& q, const float* x, const float* g, float* out) {
  typename I::V acc[J][N];
#pragma GCC unroll 32
  for (int j = 0; j < J; j++)
#pragma GCC unroll 8
    for (int v = 0; v < N; v++) acc[j][v] = I::zero();
  for (int n = 0; n < q.images; n++) {
    for (int r = 0; r < q.rows; r++) {
      const float* xp = x + n * q.x_image + r * q.x_row;
      const float* gp = g + n * q.g_image + r * q.g_row;
#pragma GCC unroll 2
      for (int i = 0; i < q.cols; i++) {
        typename I::V gv[N];
#pragma GCC unroll 8
        for (int v = 0; v < N; v++) gv[v] = I::load(gp + v * I::W);
#pragma GCC unroll 32
        for (int j = 0; j < J; j++) {
          const typename I::V b = I::broadcast(xp + j);
#pragma GCC unroll 8
          for (int v = 0; v < N; v++) acc[j][v] = I::fma(b, gv[v], acc[j][v]);
        }
        xp += q.x_step;
        gp += q.g_step;
      }
    }
  }
#pragma GCC unroll 32
  for (int j = 0; j < J; j++)
#pragma GCC unroll 8
    for (int v = 0; v < N; v++) {
      float* o = out + (j * N + v) * I::W;
      I::store(o, I::add(I::load(o), acc[j][v]));
    }
}

// The pixels of one sweep: images x rows x cols, with the strides of the operand and of the result, and where the first
// result lies.
struct Walk {
  int images, rows, cols;
  ptrdiff_t x_image, x_row, x_col;
  ptrdiff_t y_image, y_row, y_col;
  ptrdiff_t y;
  ptrdiff_t pixels() const { return static_cast<ptrdiff_t>(images) * rows * cols; }
};

// Calls part(walk, offset of its first operand, rows, cols) for the pixels of the walk that lie in one run of rows and
// in one of columns, row0 being the row of the walk's first pixel.
template <class Part>
GOTORCH_INLINE void each_run(const Walk& walk, int row0, const TapRuns& rows, const TapRuns& cols,
                             Part&& part) {
  for (int i = 0; i < rows.count; i++) {
    const TapRun& r = rows.run[i];
    const int first = r.first > row0 ? r.first - row0 : 0;
    const int last = r.last - row0 < walk.rows ? r.last - row0 : walk.rows;
    if (first >= last) continue;
    for (int j = 0; j < cols.count; j++) {
      const TapRun& c = cols.run[j];
      Walk inner = walk;
      inner.rows = last - first, inner.cols = c.last - c.first;
      inner.y += first * walk.y_row + c.first * walk.y_col;
      part(inner, first * walk.x_row + c.first * walk.x_col, r, c);
    }
  }
}

// Calls tile(operands, result offsets, count) for the pixels [first, last), P at a time, across row and image ends. The
// last tile repeats its last pixel.
template <int P, class Tile>
GOTORCH_INLINE void walk_tiles(const Walk& q, const float* x, ptrdiff_t first, ptrdiff_t last,
                               Tile&& tile) {
  if (first >= last) return;
  const ptrdiff_t image = first / q.cols / q.rows;
  int row = static_cast<int>(first / q.cols % q.rows), col = static_cast<int>(first % q.cols);
  const float *x_image = x + image * q.x_image, *x_row = x_image + row * q.x_row;
  ptrdiff_t y_image = q.y + image * q.y_image, y_row = y_image + row * q.y_row;
  for (ptrdiff_t i = first; i < last; i += P) {
    const int count = last - i < P ? static_cast<int>(last - i) : P;
    const float* at[P];
    ptrdiff_t y[P];
    for (int p = 0; p < P; p++) {
      if (p >= count) {
        at[p] = at[p - 1], y[p] = y[p - 1];
        continue;
      }
      at[p] = x_row + col * q.x_col;
      y[p] = y_row + col * q.y_col;
      if (++col < q.cols) continue;
      col = 0;
      x_row += q.x_row, y_row += q.y_row;
      if (++row < q.rows) continue;
      row = 0;
      x_row = x_image += q.x_image, y_row = y_image += q.y_image;
    }
    tile(at, y, count);
  }
}

// gemm_tile over all pixels, the last few in smaller tiles. Epilogue: start(acc) sets the initial sums, finish(acc,
// offsets, count) takes them, both for any number of pixels.
template <class I, int P, int N, class Epilogue>
GOTORCH_INLINE void sweep(const Walk& q, const float* x, const Segment* segment, int segments,
                          int len, const float* w, Epilogue& epilogue) {
  constexpr int kSmall = (P + 2) / 3;
  // A core does two multiply-adds of eight floats a cycle, each with a latency of four: smaller tiles with fewer sums
  // than that are slower a pixel.
  constexpr int kMostSmall = kSmall * N * I::W >= 64 ? 2 * kSmall : kSmall;
  const ptrdiff_t pixels = q.pixels(), rest = pixels % P;
  const ptrdiff_t whole = rest <= kMostSmall ? pixels - rest : pixels;
  walk_tiles<P>(
      q, x, 0, whole,
      [&](const float* const(&at)[P], const ptrdiff_t(&y)[P], int count)
          __attribute__((always_inline)) {
            typename I::V acc[P][N];
            epilogue.start(acc);
            gemm_tile<I, P, N>(at, segment, segments, len, w, acc);
            epilogue.finish(acc, y, count);
          });
  walk_tiles<kSmall>(
      q, x, whole, pixels,
      [&](const float* const(&at)[kSmall], const ptrdiff_t(&y)[kSmall], int count)
          __attribute__((always_inline)) {
            typename I::V acc[kSmall][N];
            epilogue.start(acc);
            gemm_tile<I, kSmall, N>(at, segment, segments, len, w, acc);
            epilogue.finish(acc, y, count);
          });
}

// Loads or stores the first count floats of W, for the last, partly filled panel.
template <class I>
GOTORCH_INLINE typename I::V load_some(const float* p, int count) {
  float t[I::W] = {};
  for (int i = 0; i < I::W; i++)
    if (i < count) t[i] = p[i];
  return I::load(t);
}

template <class I>
GOTORCH_INLINE void store_some(float* p, typename I::V value, int count) {
  float t[I::W];
  I::store(t, value);
  for (int i = 0; i < I::W; i++)
    if (i < count) p[i] = t[i];
}

// A sum in two floats: what an addition rounds away is kept (Knuth's two-sum). The mean must be exact to more
// digits than a float's: BatchNorm's backward multiplies its error with sums of gradients that do not cancel.
template <class I>
struct ExactSum {
  typename I::V high, low;
  GOTORCH_INLINE void clear() { high = low = I::zero(); }
  GOTORCH_INLINE void add(typename I::V x) {
    const typename I::V sum = I::add(high, x), part = I::sub(sum, high);
    low = I::add(low, I::add(I::sub(high, I::sub(sum, part)), I::sub(x, part)));
    high = sum;
  }
  // Sums of the lanes; starts again from zero.
  void take(double (&sums)[I::W]) {
    float h[I::W], l[I::W];
    I::store(h, high), I::store(l, low);
    for (int i = 0; i < I::W; i++) sums[i] = static_cast<double>(h[i]) + l[i];
    clear();
  }
};

// Adds W floats to W doubles.
template <class I>
GOTORCH_INLINE void add_to_double(double* sum, typename I::V value) {
  float t[I::W];
  I::store(t, value);
  for (int i = 0; i < I::W; i++) sum[i] += t[i];
}

}  // namespace gotorch::kernels
