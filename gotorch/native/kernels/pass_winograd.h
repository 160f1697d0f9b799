// Winograd's passes: transforms of patches, products per point, transforms back. All act on vectors of
// channels, so that no lane ever meets another.
//
// The points are 0, +-3/4, +-3/2 and infinity: of the simple choices the one that rounds least, 3 to
// 6 times a direct convolution's error where the usual 0, +-1, +-2 make it 10 times.
#pragma once

#include "micro_kernel.h"
#include "pass_forward.h"
#include "pass_weight_gradient.h"

namespace gotorch::kernels {

// The one-dimensional transforms, each of vectors.
template <class I>
struct Points {
  using V = typename I::V;
  static constexpr float p = 0.75f, q = 1.5f, a = p * p, b = q * q;

  // Input, 6 to 6.
  struct Input {
    static constexpr int kFrom = 6, kTo = 6;
    static GOTORCH_INLINE void run(const V (&x)[kFrom], V (&y)[kTo]) {
      const V t = I::fma(x[2], I::set(-b), x[4]), u = I::fma(x[1], I::set(-b), x[3]);
      const V r = I::fma(x[2], I::set(-a), x[4]), s = I::fma(x[1], I::set(-a), x[3]);
      y[0] = I::fma(x[0], I::set(a * b), I::fma(x[2], I::set(-a - b), x[4]));
      y[1] = I::fma(u, I::set(p), t), y[2] = I::fma(u, I::set(-p), t);
      y[3] = I::fma(s, I::set(q), r), y[4] = I::fma(s, I::set(-q), r);
      y[5] = I::fma(x[1], I::set(a * b), I::fma(x[3], I::set(-a - b), x[5]));
    }
  };
  // Products to outputs, 6 to 4.
  struct Output {
    static constexpr int kFrom = 6, kTo = 4;
    static GOTORCH_INLINE void run(const V (&x)[kFrom], V (&y)[kTo]) {
      const V e = I::add(x[1], x[2]), o = I::sub(x[1], x[2]);
      const V f = I::add(x[3], x[4]), r = I::sub(x[3], x[4]);
      y[0] = I::add(x[0], I::add(e, f));
      y[1] = I::fma(r, I::set(q), I::mul(o, I::set(p)));
      y[2] = I::fma(f, I::set(b), I::mul(e, I::set(a)));
      y[3] = I::fma(r, I::set(b * q), I::fma(o, I::set(a * p), x[5]));
    }
  };
  // Output gradient to the products' gradient, 4 to 6: the transpose of output.
  struct Gradient {
    static constexpr int kFrom = 4, kTo = 6;
    static GOTORCH_INLINE void run(const V (&x)[kFrom], V (&y)[kTo]) {
      const V e = I::fma(x[2], I::set(a), x[0]), f = I::fma(x[2], I::set(b), x[0]);
      const V o = I::fma(x[3], I::set(a * p), I::mul(x[1], I::set(p)));
      const V r = I::fma(x[3], I::set(b * q), I::mul(x[1], I::set(q)));
      y[0] = x[0], y[5] = x[3];
      y[1] = I::add(e, o), y[2] = I::sub(e, o);
      y[3] = I::add(f, r), y[4] = I::sub(f, r);
    }
  };
  static constexpr float c0 = 1 / (a * b), c1 = 1 / (2 * a * (a - b)), c2 = 1 / (2 * b * (b - a));
  // Kernel, 3 to 6.
  struct Weight {
    static constexpr int kFrom = 3, kTo = 6;
    static GOTORCH_INLINE void run(const V (&x)[kFrom], V (&y)[kTo]) {
      const V e = I::fma(x[2], I::set(c1 * a), I::mul(x[0], I::set(c1)));
      const V f = I::fma(x[2], I::set(c2 * b), I::mul(x[0], I::set(c2)));
      y[0] = I::mul(x[0], I::set(c0)), y[5] = x[2];
      y[1] = I::fma(x[1], I::set(c1 * p), e), y[2] = I::fma(x[1], I::set(-c1 * p), e);
      y[3] = I::fma(x[1], I::set(c2 * q), f), y[4] = I::fma(x[1], I::set(-c2 * q), f);
    }
  };
  // The kernel's gradient, 6 to 3: the transpose of weight.
  struct WeightGradient {
    static constexpr int kFrom = 6, kTo = 3;
    static GOTORCH_INLINE void run(const V (&x)[kFrom], V (&y)[kTo]) {
      const V e = I::add(x[1], x[2]), o = I::sub(x[1], x[2]);
      const V f = I::add(x[3], x[4]), r = I::sub(x[3], x[4]);
      y[0] = I::fma(x[0], I::set(c0), I::fma(e, I::set(c1), I::mul(f, I::set(c2))));
      y[1] = I::fma(o, I::set(c1 * p), I::mul(r, I::set(c2 * q)));
      y[2] = I::fma(e, I::set(c1 * a), I::fma(f, I::set(c2 * b), x[5]));
    }
  };
};

// y = transform T along both axes of x.
template <class T, class V>
GOTORCH_INLINE void both_axes(const V (&x)[T::kFrom][T::kFrom], V (&y)[T::kTo][T::kTo]) {
  constexpr int A = T::kFrom, B = T::kTo;
  V t[A][B];
#pragma GCC unroll 8
  for (int j = 0; j < A; j++) {
    V from[A], to[B];
#pragma GCC unroll 8
    for (int i = 0; i < A; i++) from[i] = x[i][j];
    T::run(from, to);
#pragma GCC unroll 8
    for (int i = 0; i < B; i++) t[j][i] = to[i];
  }
#pragma GCC unroll 8
  for (int i = 0; i < B; i++) {
    V from[A];
#pragma GCC unroll 8
    for (int j = 0; j < A; j++) from[j] = t[j][i];
    T::run(from, y[i]);
  }
}

// One vector of channels of a patch, transformed, to its place in each plane.
template <class I, class T>
GOTORCH_INLINE void patch_to_planes(const float* from, ptrdiff_t row, ptrdiff_t col, float* to,
                                    ptrdiff_t plane) {
  constexpr int A = T::kFrom;
  typename I::V x[A][A], y[6][6];
#pragma GCC unroll 8
  for (int i = 0; i < A; i++)
#pragma GCC unroll 8
    for (int j = 0; j < A; j++) x[i][j] = I::load(from + i * row + j * col);
  both_axes<T>(x, y);
#pragma GCC unroll 8
  for (int i = 0; i < 6; i++)
#pragma GCC unroll 8
    for (int j = 0; j < 6; j++) I::store(to + (i * 6 + j) * plane, y[i][j]);
}

// The packed input's patches. A vector that reaches beyond a run of phases is overwritten by the next.
template <class I>
void winograd_input(const WinogradInput& t) {
  const ConvShape& q = t.shape;
  const PackedInput p = winograd_input_layout(q, t.block);
  const Tiles tiles = output_tiles(q, t.block);
  const int run = q.stride_w * q.c;
  float* to = t.out.data;
  for (int n = 0; n < tiles.images; n++)
    for (int i = 0; i < tiles.rows; i++)
      for (int j = 0; j < tiles.cols; j++, to += t.out.step) {
        const float* from = t.x + n * p.image + i * kTile * q.stride_h * p.row +
                            static_cast<ptrdiff_t>(j) * kTile * run;
        for (int phase = 0; phase < q.stride_h; phase++)
          for (int e = 0; e < run; e += I::W)
            patch_to_planes<I, typename Points<I>::Input>(from + phase * p.row + e,
                                                          q.stride_h * p.row, run,
                                                          to + phase * run + e, t.out.plane);
      }
}

// The packed output gradient: its patches for the data gradient, its tiles for the weight gradient.
template <class I>
void winograd_gradient(const WinogradGradient& t) {
  const ConvShape& q = t.shape;
  const PackedGradient& p = t.layout;
  const auto walk = [&](const Tiles& tiles, int row, int col, const Planes& out, auto transform) {
    float* to = out.data;
    for (int n = 0; n < tiles.images; n++)
      for (int i = 0; i < tiles.rows; i++)
        for (int j = 0; j < tiles.cols; j++, to += out.step) {
          const float* from = t.g + n * p.image + (row + i * kTile - p.row0) * p.row +
                              (col + j * kTile - p.col0) * static_cast<ptrdiff_t>(t.width);
          for (int k = 0; k < out.channels; k += I::W)
            transform(from + k / t.width * p.panel + k % t.width, to + k, out.plane);
        }
  };
  if (t.for_data.data)
    walk(
        input_tiles(q, t.block), phase_rows(q, t.block).first - (kTaps - 1),
        phase_cols(q).first - (kTaps - 1), t.for_data,
        [&](const float* from, float* to, ptrdiff_t plane) __attribute__((always_inline)) {
          patch_to_planes<I, typename Points<I>::Input>(from, p.row, t.width, to, plane);
        });
  if (t.for_weight.data)
    walk(
        output_tiles(q, t.block), t.block.r0, 0, t.for_weight,
        [&](const float* from, float* to, ptrdiff_t plane) __attribute__((always_inline)) {
          patch_to_planes<I, typename Points<I>::Gradient>(from, p.row, t.width, to, plane);
        });
}

template <class I, int N>
struct ProductEpilogue {
  float* out;
  template <int P>
  GOTORCH_INLINE void start(typename I::V (&acc)[P][N]) const {
#pragma GCC unroll 32
    for (int p = 0; p < P; p++)
#pragma GCC unroll 8
      for (int v = 0; v < N; v++) acc[p][v] = I::zero();
  }
  template <int P>
  GOTORCH_INLINE void finish(typename I::V (&acc)[P][N], const ptrdiff_t (&y)[P], int) const {
#pragma GCC unroll 32
    for (int p = 0; p < P; p++)
#pragma GCC unroll 8
      for (int v = 0; v < N; v++) I::store(out + y[p] + v * I::W, acc[p][v]);
  }
};

// The products of one panel of output channels at every point: [point][tile][width].
template <class I, int P, int N>
void winograd_products(const Planes& in, int tiles, const float* weight, float* out,
                       ptrdiff_t plane) {
  const Segment segment{0, 0};
  const Walk walk{1, 1, tiles, 0, 0, in.step, 0, 0, N * I::W, 0};
  for (int f = 0; f < kPoints; f++) {
    ProductEpilogue<I, N> epilogue{out + f * plane};
    sweep<I, P, N>(walk, in.data + f * in.plane, &segment, 1, in.channels,
                   weight + static_cast<ptrdiff_t>(f) * in.channels * N * I::W, epilogue);
  }
}

// One vector of channels of one tile's products, transformed back.
template <class I>
GOTORCH_INLINE void planes_to_tile(const float* from, ptrdiff_t plane, typename I::V (&y)[4][4]) {
  typename I::V x[6][6];
#pragma GCC unroll 8
  for (int i = 0; i < 6; i++)
#pragma GCC unroll 8
    for (int j = 0; j < 6; j++) x[i][j] = I::load(from + (i * 6 + j) * plane);
  both_axes<typename Points<I>::Output>(x, y);
}

template <class I, int P, int N>
void winograd_forward(const WinogradForward& t) {
  const Forward& f = t.task;
  const ConvShape& q = f.shape;
  const Block& b = f.block;
  const Tiles tiles = output_tiles(q, b);
  constexpr int kWidth = N * I::W;
  const int channels = t.in.channels, rows = b.rows(), cols = q.ow();
  const ptrdiff_t plane = winograd_product_plane(tiles.count(), kWidth);
  const ptrdiff_t row = static_cast<ptrdiff_t>(cols) * q.k;
  const typename I::V cap = I::set(f.cap);
  for (int panel = 0; panel < ceil_div(q.k, kWidth); panel++) {
    winograd_products<I, P, N>(
        t.in, tiles.count(), t.weight + static_cast<ptrdiff_t>(panel) * kPoints * channels * kWidth,
        t.products, plane);
    const ForwardEpilogue<I, N> epilogue(f, panel);
    for (int v = 0; v < N; v++) {
      const int k = panel * kWidth + v * I::W;
      if (k >= q.k) break;
      const float* from = t.products + v * I::W;
      for (int n = 0; n < tiles.images; n++) {
        const ptrdiff_t image = ((b.n0 + n) * static_cast<ptrdiff_t>(q.oh()) + b.r0) * row;
        for (int i = 0; i < tiles.rows; i++)
          for (int j = 0; j < tiles.cols; j++, from += kWidth) {
            typename I::V y[kTile][kTile];
            planes_to_tile<I>(from, plane, y);
            for (int r = 0; r < kTile && i * kTile + r < rows; r++)
              for (int c = 0; c < kTile && j * kTile + c < cols; c++) {
                typename I::V value = I::add(y[r][c], epilogue.bias[v]);
                if (f.relu) value = I::min(I::max0(value), cap);
                epilogue.put(value,
                             image + (i * kTile + r) * row +
                                 (j * kTile + c) * static_cast<ptrdiff_t>(q.k) + k,
                             k);
              }
          }
      }
    }
  }
}

// What follows the data gradient of one vector of a row's phases and channels, from float e of the run on: the mask of
// the ReLU before and the sums for the BatchNorm before, as in DataGradientEpilogue.
template <class I>
struct WinogradEpilogue {
  using V = typename I::V;
  const WinogradDataGradient& t;
  const int c, e;
  const bool plain;
  V mean, scale, offset;
  V sum[kTile], dot[kTile];  // side by side: shorter sums, and they need not wait for each other
  int channel[I::W];

  GOTORCH_INLINE WinogradEpilogue(const WinogradDataGradient& task, int first)
      : t(task), c(task.shape.c), e(first), plain(!task.sum && !task.lazy.relu) {
    float m[I::W], s[I::W], o[I::W];
    for (int i = 0; i < I::W; i++) {
      const int k = channel[i] = (e + i) % c;
      m[i] = t.sum ? t.mean[k] : 0;
      s[i] = t.lazy.scale ? t.lazy.scale[k] : 1, o[i] = t.lazy.scale ? t.lazy.offset[k] : 0;
    }
    mean = I::load(m), scale = I::load(s), offset = I::load(o);
    for (int i = 0; i < kTile; i++) sum[i] = dot[i] = I::zero();
  }

  // A whole vector at t.out + at.
  GOTORCH_INLINE void put(V d, ptrdiff_t at, int chain) {
    if (!plain) {
      const V raw = I::load(t.raw + at);
      if (t.lazy.relu) d = I::keep_between(d, I::fma(raw, scale, offset), I::set(t.lazy.cap));
      sum[chain] = I::add(sum[chain], d);
      dot[chain] = I::fma(d, I::sub(raw, mean), dot[chain]);
    }
    I::store(t.out + at, d);
  }

  // Lanes [first, last) of one.
  void put_some(V value, ptrdiff_t at, int first, int last) {
    float some[I::W];
    I::store(some, value);
    for (int i = first; i < last; i++) {
      float d = some[i];
      if (!plain) {
        const float raw = t.raw[at + i];
        const int k = channel[i];
        if (t.lazy.relu) {
          const float in = t.lazy.scale ? raw * t.lazy.scale[k] + t.lazy.offset[k] : raw;
          d = in > 0 && in < t.lazy.cap ? d : 0;
        }
        if (t.sum) t.sum[k] += d, t.dot[k] += static_cast<double>(d) * (raw - t.mean[k]);
      }
      t.out[at + i] = d;
    }
  }

  void finish() {
    if (!t.sum) return;
    float s[I::W], q[I::W];
    I::store(s, I::add(I::add(sum[0], sum[1]), I::add(sum[2], sum[3])));
    I::store(q, I::add(I::add(dot[0], dot[1]), I::add(dot[2], dot[3])));
    for (int i = 0; i < I::W; i++) t.sum[channel[i]] += s[i], t.dot[channel[i]] += q[i];
  }
};

template <class I, int P, int N>
void winograd_data_gradient(const WinogradDataGradient& t) {
  const ConvShape& q = t.shape;
  const Block& b = t.block;
  const Tiles tiles = input_tiles(q, b);
  constexpr int kWidth = N * I::W;
  const int group = phase_group(q, I::W), run = q.stride_w * q.c;
  const PhaseRange rows = phase_rows(q, b), cols = phase_cols(q);
  const ptrdiff_t row = static_cast<ptrdiff_t>(q.w) * q.c, image = q.h * row;
  const ptrdiff_t plane = winograd_product_plane(tiles.count(), kWidth);
  for (int panel = 0; panel < ceil_div(q.stride_h * group, kWidth); panel++) {
    winograd_products<I, P, N>(
        t.in, tiles.count(),
        t.weight + static_cast<ptrdiff_t>(panel) * kPoints * t.in.channels * kWidth, t.products,
        plane);
    for (int v = 0; v < N; v++) {
      const int o = panel * kWidth + v * I::W, phase = o / group, e = o % group;
      if (phase >= q.stride_h || e >= run) continue;
      const float* from = t.products + v * I::W;
      WinogradEpilogue<I> epilogue(t, e);
      const int lanes = run - e < I::W ? run - e : I::W;
      for (int n = 0; n < tiles.images; n++)
        for (int i = 0; i < tiles.rows; i++)
          for (int j = 0; j < tiles.cols; j++, from += kWidth) {
            typename I::V y[kTile][kTile];
            planes_to_tile<I>(from, plane, y);
            // Where the tile's first value goes: row `top` and float `left` of a row.
            const int top = q.stride_h * (rows.first + i * kTile) + phase - q.pad_h;
            const ptrdiff_t left =
                static_cast<ptrdiff_t>(q.stride_w * (cols.first + j * kTile) - q.pad_w) * q.c + e;
            const ptrdiff_t to = (b.n0 + n) * image + top * row + left;
            if (top >= 0 && top + q.stride_h * (kTile - 1) < q.h &&
                rows.first + i * kTile + kTile <= rows.last && left >= 0 &&
                left + (kTile - 1) * run + I::W <= row && lanes == I::W) {
#pragma GCC unroll 4
              for (int r = 0; r < kTile; r++)
#pragma GCC unroll 4
                for (int c = 0; c < kTile; c++)
                  epilogue.put(y[r][c], to + r * q.stride_h * row + c * run, c);
              continue;
            }
            for (int r = 0; r < kTile; r++) {
              const int at = top + q.stride_h * r;
              if (rows.first + i * kTile + r >= rows.last || at < 0 || at >= q.h) continue;
              for (int c = 0; c < kTile; c++) {
                // What of the vector lies inside both the row and the run of phases.
                const ptrdiff_t x = left + c * run, first = x < 0 ? -x : 0;
                const ptrdiff_t last = x + lanes < row ? lanes : row - x;
                const ptrdiff_t place = to + r * q.stride_h * row + c * run;
                if (first == 0 && last == I::W)
                  epilogue.put(y[r][c], place, c);
                else if (first < last)
                  epilogue.put_some(y[r][c], place, static_cast<int>(first),
                                    static_cast<int>(last));
              }
            }
          }
      epilogue.finish();
    }
  }
}

// out[point][panel][channel][width] += sum over tiles of in[point][tile][channel]*g[point][tile][k].
template <class I, int J, int N>
void winograd_weight_gradient(const WinogradWeightGradient& t) {
  constexpr int kWidth = N * I::W;
  const int channels = t.in.channels, panels = t.g.channels / kWidth;
  const int cuts = ceil_div(channels, J), columns = ceil_div(channels, cuts);
  for (int f = t.point0; f < t.point1; f++) {
    for (int tile = 0; tile < t.tiles; tile += kPixelsPerChunk) {
      const int count = t.tiles - tile < kPixelsPerChunk ? t.tiles - tile : kPixelsPerChunk;
      const Rows walk{1, 1, count, t.in.step, 0, 0, t.g.step, 0, 0};
      for (int column = 0; column < channels; column += columns) {
        const int left = channels - column;
        const OuterTile run = OuterTiles<I, J, N>::get(left < columns ? left : columns);
        const float* x =
            t.in.data + f * t.in.plane + static_cast<ptrdiff_t>(tile) * t.in.step + column;
        const float* g = t.g.data + f * t.g.plane + static_cast<ptrdiff_t>(tile) * t.g.step;
        for (int panel = 0; panel < panels; panel++)
          run(walk, x, g + panel * kWidth,
              t.out + ((static_cast<ptrdiff_t>(f) * panels + panel) * channels + column) * kWidth);
      }
    }
  }
}

// move(weight, tap) for all taps of a vector of channels out. Mostly its weights lie at one distance from each
// other, and the way to the first tells all.
template <class I, class Move>
GOTORCH_INLINE void each_lane(const WinogradWeight& t, int in, int out,
                              float (&taps)[kTaps * kTaps][I::W], Move move) {
  const WinogradTaps first = t.taps(in, out);
  const ptrdiff_t step = t.transposed ? t.weight.stride_c : t.weight.stride_k;
  const bool even = t.together(out, out + I::W - 1);
  for (int i = first.row0; even && i < first.row1; i++)
    for (int j = first.col0; j < first.col1; j++) {
      float* w = first.at(i, j);
      for (int lane = 0; lane < I::W; lane++, w += step) move(w, taps[i * kTaps + j][lane]);
    }
  for (int lane = 0; !even && lane < I::W; lane++) {
    const WinogradTaps s = t.taps(in, out + lane);
    for (int i = s.row0; i < s.row1; i++)
      for (int j = s.col0; j < s.col1; j++) move(s.at(i, j), taps[i * kTaps + j][lane]);
  }
}

// The kernels' transform, [panel][point][channel in][width], from nine taps of a vector of channels
// out at a time.
template <class I>
void winograd_pack_weight(const WinogradWeight& t) {
  typename I::V x[3][3], y[6][6];
  for (int panel = t.panel0; panel < t.panel1; panel++)
    for (int v = 0; v < t.width; v += I::W)
      for (int in = 0; in < t.channels_in; in++) {
        float taps[kTaps * kTaps][I::W] = {};
        each_lane<I>(t, in, panel * t.width + v, taps,
                     [](float* weight, float& tap) { tap = *weight; });
        for (int i = 0; i < kTaps; i++)
          for (int j = 0; j < kTaps; j++) x[i][j] = I::load(taps[i * kTaps + j]);
        both_axes<typename Points<I>::Weight>(x, y);
        float* to =
            t.packed + (static_cast<ptrdiff_t>(panel) * kPoints * t.channels_in + in) * t.width + v;
        const ptrdiff_t point = static_cast<ptrdiff_t>(t.channels_in) * t.width;
        for (int i = 0; i < 6; i++)
          for (int j = 0; j < 6; j++) I::store(to + (i * 6 + j) * point, y[i][j]);
      }
}

// The kernels' gradient from the sum of several [point][panel][channel in][width], in order.
template <class I>
void winograd_unpack_weight(const WinogradWeight& t, const float* const* parts, int count) {
  typename I::V x[6][6], y[3][3];
  const int panels = ceil_div(t.weight.shape.k, t.width);
  for (int panel = t.panel0; panel < t.panel1; panel++)
    for (int v = 0; v < t.width; v += I::W)
      for (int in = 0; in < t.channels_in; in++) {
        for (int f = 0; f < kPoints; f++) {
          const ptrdiff_t at =
              ((static_cast<ptrdiff_t>(f) * panels + panel) * t.channels_in + in) * t.width + v;
          typename I::V sum = I::load(parts[0] + at);
          for (int part = 1; part < count; part++) sum = I::add(sum, I::load(parts[part] + at));
          x[f / 6][f % 6] = sum;
        }
        both_axes<typename Points<I>::WeightGradient>(x, y);
        float taps[kTaps * kTaps][I::W];
        for (int i = 0; i < kTaps; i++)
          for (int j = 0; j < kTaps; j++) I::store(taps[i * kTaps + j], y[i][j]);
        each_lane<I>(t, in, panel * t.width + v, taps,
                     [](float* weight, float& tap) { *weight = tap; });
      }
}

}  // namespace gotorch::kernels
