// Data gradient: for each residue class of input rows and columns a stride-1 convolution over the
// packed output gradient, through the same inner loop as forward. Its epilogue masks by the ReLU
// before this layer and takes the two sums that the BatchNorm before this layer needs.
#pragma once

#include "pass_forward.h"

namespace gotorch::kernels {

template <class I, int N>
struct DataGradientEpilogue {
  using V = typename I::V;
  const DataGradient& t;
  int channel, valid;
  bool plain;
  V mean[N], sum[N], dot[N];
  int tiles = 0;

  GOTORCH_INLINE DataGradientEpilogue(const DataGradient& task, int panel)
      : t(task),
        channel(panel * task.width_c),
        valid(task.shape.c - channel),
        plain(!task.sum && !task.lazy.relu) {
    for (int v = 0; v < N; v++) {
      mean[v] = t.sum ? I::load(t.mean + channel + v * I::W) : I::zero();
      sum[v] = dot[v] = I::zero();
    }
  }

  template <int P>
  GOTORCH_INLINE void start(V (&acc)[P][N]) const {
#pragma GCC unroll 32
    for (int p = 0; p < P; p++)
#pragma GCC unroll 8
      for (int v = 0; v < N; v++) acc[p][v] = I::zero();
  }

  template <int P>
  GOTORCH_INLINE void finish(V (&acc)[P][N], const ptrdiff_t (&y)[P], int count) {
    if (count == P && valid >= N * I::W) {
#pragma GCC unroll 32
      for (int p = 0; p < P; p++)
#pragma GCC unroll 8
        for (int v = 0; v < N; v++) {
          const ptrdiff_t at = y[p] + channel + v * I::W;
          V d = acc[p][v];
          if (!plain) d = take(d, I::load(t.raw + at), v);
          I::store(t.out + at, d);
        }
    } else {
      V copy[P][N];
      for (int p = 0; p < P; p++)
        for (int v = 0; v < N; v++) copy[p][v] = acc[p][v];
      for (int p = 0; p < count; p++)
        for (int v = 0; v < N; v++) {
          const int left = valid - v * I::W;
          const ptrdiff_t at = y[p] + channel + v * I::W;
          if (left <= 0) continue;
          V d = copy[p][v];
          if (!plain)
            d = take(d, left >= I::W ? I::load(t.raw + at) : load_some<I>(t.raw + at, left), v);
          if (left >= I::W)
            I::store(t.out + at, d);
          else
            store_some<I>(t.out + at, d, left);
        }
    }
    if (++tiles == kTilesPerChunk) flush();
  }

  GOTORCH_INLINE V take(V d, V raw, int v) {
    if (t.lazy.relu) {
      const int c = channel + v * I::W;
      V value = raw;
      if (t.lazy.scale) value = I::fma(raw, I::load(t.lazy.scale + c), I::load(t.lazy.offset + c));
      d = I::keep_between(d, value, I::set(t.lazy.cap));
    }
    if (t.sum) {
      sum[v] = I::add(sum[v], d);
      dot[v] = I::fma(d, I::sub(raw, mean[v]), dot[v]);
    }
    return d;
  }

  GOTORCH_INLINE void flush() {
    if (!t.sum) return;
    for (int v = 0; v < N; v++) {
      add_to_double<I>(t.sum + channel + v * I::W, sum[v]);
      add_to_double<I>(t.dot + channel + v * I::W, dot[v]);
      sum[v] = dot[v] = I::zero();
    }
    tiles = 0;
  }
};

// A residue class of the input pixels of a block: its taps, whether it has pixels, the row of the class that is the
// block's first, and where its first pixel lies in the packed output gradient, a panel of it.
struct GradientClass {
  Residue rows, cols;
  bool empty;
  int row0;
  ptrdiff_t x;
};

// What the walks over all residue classes share; width is the channels of a panel of the packed output gradient.
GOTORCH_INLINE Walk gradient_walk(const DataGradient& t, int width) {
  const ConvShape& q = t.shape;
  Walk walk;
  walk.images = t.block.images();
  walk.x_image = t.layout.image, walk.x_row = t.layout.row, walk.x_col = width;
  const ptrdiff_t col = q.c, row = q.w * col;
  walk.y_image = q.h * row, walk.y_row = q.stride_h * row, walk.y_col = q.stride_w * col;
  return walk;
}

GOTORCH_INLINE GradientClass gradient_class(const DataGradient& t, int klass, Walk* walk) {
  const ConvShape& q = t.shape;
  int i0, i1;
  gradient_rows(q, t.block, &i0, &i1);
  const int h = klass / q.stride_w, w = klass % q.stride_w;
  const Residue a = residue(h, q.pad_h, q.r, q.stride_h);
  const Residue b = residue(w, q.pad_w, q.s, q.stride_w);
  // Rows stride*m + h inside [i0, i1), columns stride*m + w inside [0, q.w).
  const int m0 = i0 > h ? ceil_div(i0 - h, q.stride_h) : 0;
  const int m1 = i1 > h ? ceil_div(i1 - h, q.stride_h) : 0;
  walk->rows = m1 - m0;
  walk->cols = q.w > w ? ceil_div(q.w - w, q.stride_w) : 0;
  const ptrdiff_t x = (t.block.n0 - t.image0) * t.layout.image +
                      (m0 + a.base - (a.taps - 1) - t.layout.row0) * t.layout.row +
                      (b.base - (b.taps - 1) - t.layout.col0) * walk->x_col;
  const ptrdiff_t col = q.c, row = q.w * col;
  walk->y = t.block.n0 * walk->y_image + (q.stride_h * m0 + h) * row + w * col;
  return {a, b, walk->rows <= 0 || walk->cols <= 0, m0, x};
}

template <class I, int P, int N>
void data_gradient(const DataGradient& t) {
  const ConvShape& q = t.shape;
  const int panels_k = ceil_div(q.k, t.width_k), panels_c = ceil_div(q.c, t.width_c);
  Walk walk = gradient_walk(t, t.width_k);
  for (int panel = t.panel0; panel < t.panel1; panel++) {
    DataGradientEpilogue<I, N> epilogue(t, panel);
    for (int klass = 0; klass < q.stride_h * q.stride_w; klass++) {
      const GradientClass c = gradient_class(t, klass, &walk);
      if (c.empty) continue;
      const ptrdiff_t tap = static_cast<ptrdiff_t>(t.width_k) * t.width_c, row = c.cols.taps * tap;
      const float* weight = t.weight +
                            residue_offset(q, klass, panels_k * t.width_k, panels_c * t.width_c) +
                            panel * panels_k * c.rows.taps * row;
      each_run(
          walk, c.row0, t.rows[klass / q.stride_w], t.cols[klass % q.stride_w],
          [&](const Walk& part, ptrdiff_t x, const TapRun& a, const TapRun& b)
              __attribute__((always_inline)) {
                int segments = 0;
                for (int k = 0; k < panels_k && b.tap0 < b.tap1; k++)
                  for (int i = a.tap0; i < a.tap1; i++)
                    t.segment[segments++] = {k * t.layout.panel + i * t.layout.row +
                                                 static_cast<ptrdiff_t>(b.tap0) * t.width_k,
                                             (k * c.rows.taps + i) * row + b.tap0 * tap};
                sweep<I, P, N>(part, segments ? t.g + c.x + x : t.g, t.segment, segments,
                               (b.tap1 - b.tap0) * t.width_k, weight, epilogue);
              });
    }
    epilogue.flush();
  }
}

}  // namespace gotorch::kernels
