// Depthwise convolutions: each channel by itself, a vector of channels at a time. They read every input
// once per tap from cache and do one multiply-add with it, so loads bound them, not arithmetic.
#pragma once

#include "pass_data_gradient.h"
#include "pass_forward.h"

namespace gotorch::kernels {

// acc[p] += sum over taps of x[p][tap]*w[tap], taps in rows x cols; w_row and w_col may run backwards.
struct Taps {
  int rows, cols;
  ptrdiff_t x_row, x_col, w_row, w_col;
};

template <class I, int P>
GOTORCH_INLINE void depthwise_tile(const float* const (&x)[P], const Taps& q, const float* w,
                                   typename I::V (&acc)[P][1]) {
  for (int i = 0; i < q.rows; i++)
    for (int j = 0; j < q.cols; j++) {
      const typename I::V wv = I::load(w + i * q.w_row + j * q.w_col);
      const ptrdiff_t at = i * q.x_row + j * q.x_col;
#pragma GCC unroll 32
      for (int p = 0; p < P; p++) acc[p][0] = I::fma(I::load(x[p] + at), wv, acc[p][0]);
    }
}

template <class I, int P, class Epilogue>
GOTORCH_INLINE void depthwise_sweep(const Walk& walk, const float* x, const Taps& taps,
                                    const float* w, Epilogue& epilogue) {
  walk_tiles<P>(
      walk, x, 0, walk.pixels(),
      [&](const float* const(&at)[P], const ptrdiff_t(&y)[P], int count)
          __attribute__((always_inline)) {
            typename I::V acc[P][1];
            epilogue.start(acc);
            depthwise_tile<I, P>(at, taps, w, acc);
            epilogue.finish(acc, y, count);
          });
}

template <class I, int P>
void depthwise_forward(const Forward& t) {
  const ConvShape& q = t.shape;
  const PackedInput p = packed_input(q, t.block);
  const Taps taps{q.r, q.s, p.row, q.c, static_cast<ptrdiff_t>(q.s) * I::W, I::W};
  const Walk walk = forward_walk(q, t.block, p);
  for (int panel = t.panel0; panel < t.panel1; panel++) {
    ForwardEpilogue<I, 1> epilogue(t, panel);
    depthwise_sweep<I, P>(walk, t.x + panel * I::W, taps,
                          t.weight + static_cast<ptrdiff_t>(panel) * q.r * q.s * I::W, epilogue);
    epilogue.flush();
  }
}

// Per residue class of input pixels (see Residue), over the packed output gradient.
template <class I, int P>
void depthwise_data_gradient(const DataGradient& t) {
  const ConvShape& q = t.shape;
  Walk walk = gradient_walk(t, I::W);
  for (int panel = t.panel0; panel < t.panel1; panel++) {
    DataGradientEpilogue<I, 1> epilogue(t, panel);
    for (int klass = 0; klass < q.stride_h * q.stride_w; klass++) {
      const GradientClass c = gradient_class(t, klass, &walk);
      if (c.empty) continue;
      const Residue &a = c.rows, &b = c.cols;
      const bool any = a.taps > 0 && b.taps > 0;
      const ptrdiff_t w_row = static_cast<ptrdiff_t>(q.s) * I::W;
      const Taps taps{any ? a.taps : 0,    b.taps,
                      t.layout.row,        I::W,
                      -q.stride_h * w_row, -q.stride_w * static_cast<ptrdiff_t>(I::W)};
      const float* weight = t.weight + (static_cast<ptrdiff_t>(panel) * q.r * q.s) * I::W;
      const float* x = t.g;
      if (any) {
        weight += (a.tap0 + q.stride_h * (a.taps - 1)) * w_row +
                  (b.tap0 + q.stride_w * (b.taps - 1)) * static_cast<ptrdiff_t>(I::W);
        x += panel * t.layout.panel + c.x;
      }
      depthwise_sweep<I, P>(walk, x, taps, weight, epilogue);
    }
    epilogue.flush();
  }
}

// One kernel row of S taps: out[s] += sum over the pixels of a row of x[pixel][s]*g[pixel]. Pixels take
// turns with the sums of two chains, for the latency of a multiply-add.
template <class I, int S>
struct DepthwiseRow {
  static void run(int s, int cols, const float* x, ptrdiff_t x_step, ptrdiff_t x_tap,
                  const float* g, float* out) {
    if (s != S) return DepthwiseRow<I, S - 1>::run(s, cols, x, x_step, x_tap, g, out);
    typename I::V acc[2][S];
#pragma GCC unroll 8
    for (int j = 0; j < S; j++) acc[0][j] = acc[1][j] = I::zero();
    const auto pixel = [&](int i, typename I::V(&sum)[S]) __attribute__((always_inline)) {
      const typename I::V d = I::load(g + i * static_cast<ptrdiff_t>(I::W));
#pragma GCC unroll 8
      for (int j = 0; j < S; j++) sum[j] = I::fma(I::load(x + i * x_step + j * x_tap), d, sum[j]);
    };
    int i = 0;
    for (; i + 2 <= cols; i += 2) pixel(i, acc[0]), pixel(i + 1, acc[1]);
    if (i < cols) pixel(i, acc[0]);
#pragma GCC unroll 8
    for (int j = 0; j < S; j++)
      I::store(out + j * I::W, I::add(I::load(out + j * I::W), I::add(acc[0][j], acc[1][j])));
  }
};
template <class I>
struct DepthwiseRow<I, 0> {
  static void run(int, int, const float*, ptrdiff_t, ptrdiff_t, const float*, float*) {}
};

template <class I>
void depthwise_weight_gradient(const WeightGradient& t) {
  const ConvShape& q = t.shape;
  const PackedInput p = packed_input(q, t.block);
  const PackedGradient& layout = t.layout;
  const ptrdiff_t step = static_cast<ptrdiff_t>(q.stride_w) * q.c;
  for (int panel = 0; panel < ceil_div(q.k, I::W); panel++)
    for (int n = 0; n < t.block.images(); n++)
      for (int row = 0; row < t.block.rows(); row++) {
        const float* g = t.g + panel * layout.panel + n * layout.image +
                         (t.block.r0 + row - layout.row0) * layout.row -
                         layout.col0 * static_cast<ptrdiff_t>(I::W);
        const float* x = t.x + n * p.image + row * q.stride_h * p.row + panel * I::W;
        float* out = t.out + static_cast<ptrdiff_t>(panel) * q.r * q.s * I::W;
        for (int i = 0; i < q.r; i++)
          DepthwiseRow<I, kWidestDepthwise>::run(q.s, q.ow(), x + i * p.row, step, q.c, g,
                                                 out + static_cast<ptrdiff_t>(i) * q.s * I::W);
      }
}

}  // namespace gotorch::kernels
