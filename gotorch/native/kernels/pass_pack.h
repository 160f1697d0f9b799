// Packing: the copies that turn any tensor into the operands the inner loops want, with the
// pointwise work of BatchNorm and ReLU done on the way, while the data is in cache anyway.
#pragma once

#include "micro_kernel.h"

namespace gotorch::kernels {

// y[i] = lazy(x[i]) for count consecutive floats whose scale and offset are consecutive too.
template <class I, bool kAffine, bool kRelu>
GOTORCH_INLINE void lazy_run(const float* x, const float* scale, const float* offset, float cap,
                             ptrdiff_t count, float* y) {
  const typename I::V most = I::set(cap);
  ptrdiff_t i = 0;
  for (; i + I::W <= count; i += I::W) {
    typename I::V v = I::load(x + i);
    if (kAffine) v = I::fma(v, I::load(scale + i), I::load(offset + i));
    if (kRelu) v = I::min(I::max0(v), most);
    I::store(y + i, v);
  }
  for (; i < count; i++) {
    float v = x[i];
    if (kAffine) v = v * scale[i] + offset[i];
    if (kRelu) v = v <= 0 ? 0 : v >= cap ? cap : v;
    y[i] = v;
  }
}

template <class I>
void lazy_row(const float* x, const Lazy& lazy, ptrdiff_t count, float* y) {
  const float *scale = lazy.scale, *offset = lazy.offset;
  if (scale && lazy.relu) return lazy_run<I, true, true>(x, scale, offset, lazy.cap, count, y);
  if (scale) return lazy_run<I, true, false>(x, scale, offset, lazy.cap, count, y);
  if (lazy.relu) return lazy_run<I, false, true>(x, scale, offset, lazy.cap, count, y);
  lazy_run<I, false, false>(x, scale, offset, lazy.cap, count, y);
}

template <class I>
void zero_run(float* y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + I::W <= count; i += I::W) I::store(y + i, I::zero());
  for (; i < count; i++) y[i] = 0;
}

// y[i] = x[i] / 255.
template <class I>
GOTORCH_INLINE void byte_row(const uint8_t* x, ptrdiff_t count, float* y) {
  constexpr float unit = 1.0f / 255;
  ptrdiff_t i = 0;
  for (; i + I::W <= count; i += I::W) I::store(y + i, I::mul(I::load_bytes(x + i), I::set(unit)));
  for (; i < count; i++) y[i] = x[i] * unit;
}

// A row of planar pixels (NCHW) to NHWC, all channels of a pixel at a time.
template <int C>
GOTORCH_INLINE void interleave_row(const float* x, ptrdiff_t plane, int cols, float* y) {
  for (int j = 0; j < cols; j++, y += C)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) y[c] = x[c * plane + j];
}

template <class I>
void pack_input(const PackInput& t) {
  const ConvShape& q = t.shape;
  const PackedInput& p = t.layout;
  // Packed column j is input column j - pad_w; the columns inside the input are [left, right).
  const int left = q.pad_w < p.cols ? q.pad_w : p.cols;
  int right = q.pad_w + q.w < p.cols ? q.pad_w + q.w : p.cols;
  if (right < left) right = left;
  const bool dense = t.stride_c == 1 && t.stride_w == q.c;
  const Lazy lazy{t.row_scale, t.row_offset, t.lazy.relu, t.lazy.cap};
  for (int n = t.block.n0; n < t.block.n1; n++) {
    for (int i = 0; i < p.rows; i++) {
      float* y = t.out + (n - t.block.n0) * p.image + i * p.row;
      const int row = t.block.r0 * q.stride_h + i - q.pad_h;
      if (row < 0 || row >= q.h) {
        zero_run<I>(y, p.row);
        continue;
      }
      float* body = y + static_cast<ptrdiff_t>(left) * q.c;
      const ptrdiff_t count = static_cast<ptrdiff_t>(right - left) * q.c;
      zero_run<I>(y, static_cast<ptrdiff_t>(left) * q.c);
      zero_run<I>(body + count, p.row - (body - y) - count);
      const ptrdiff_t from = n * t.stride_n + row * t.stride_h;
      if (t.bytes) {
        byte_row<I>(t.bytes + from, count, body);
        continue;
      }
      const float* x = t.x + from;
      if (dense) {
        lazy_row<I>(x, lazy, count, body);
        continue;
      }
      if (q.c == 3 && t.stride_w == 1) {
        interleave_row<3>(x, t.stride_c, right - left, body);
      } else {
        for (int c = 0; c < q.c; c++) {
          const float* from = x + c * t.stride_c;
          float* to = body + c;
          for (int j = left; j < right; j++, from += t.stride_w, to += q.c) *to = *from;
        }
      }
      if (lazy.scale || lazy.relu) lazy_row<I>(body, lazy, count, body);
    }
  }
}

// One vector of channels of a pixel row: kWhole if all W of them exist. a, b, e, m, rest as in PackGradient.
template <class I, bool kAffine, bool kMask, bool kWhole>
GOTORCH_INLINE void gradient_vector(const PackGradient& t, int c, int cols, const float* g,
                                    const float* raw, float* out, bool own) {
  const int k = t.shape.k, count = k - c;
  typename I::V a = I::zero(), b = I::zero(), e = I::zero(), m = I::zero(), rest = I::zero(),
                sum = I::zero();
  const typename I::V cap = I::set(t.cap);
  if (kAffine)
    a = I::load(t.a + c), b = I::load(t.b + c), e = I::load(t.e + c), m = I::load(t.m + c),
    rest = I::load(t.rest + c);
  for (int i = 0; i < cols; i++, g += k, raw += k, out += t.width) {
    typename I::V d = kWhole ? I::load(g) : load_some<I>(g, count), r = I::zero();
    if (kAffine || kMask) r = kWhole ? I::load(raw) : load_some<I>(raw, count);
    if (kAffine) d = I::fma(I::sub(d, e), a, I::fma(I::sub(r, m), b, rest));
    if (kMask) d = I::keep_between(d, r, cap);
    sum = I::add(sum, d);
    I::store(out, d);
  }
  if (own) add_to_double<I>(t.sum + c, sum);
}

// One pixel row of one panel of channels.
template <class I, bool kAffine, bool kMask>
GOTORCH_INLINE void gradient_row(const PackGradient& t, int channel, int cols, const float* g,
                                 const float* raw, float* out, bool own) {
  for (int v = 0; v < t.width; v += I::W) {
    const int c = channel + v, count = t.shape.k - c;
    if (count >= I::W) {
      gradient_vector<I, kAffine, kMask, true>(t, c, cols, g + c, raw + c, out + v, own);
    } else if (count > 0) {
      gradient_vector<I, kAffine, kMask, false>(t, c, cols, g + c, raw + c, out + v, own);
    } else {
      for (int i = 0; i < cols; i++) I::store(out + i * t.width + v, I::zero());
    }
  }
}

template <class I>
void pack_gradient(const PackGradient& t) {
  const ConvShape& q = t.shape;
  const PackedGradient& p = t.layout;
  const int oh = q.oh(), ow = q.ow();
  const ptrdiff_t row_floats = static_cast<ptrdiff_t>(ow) * q.k;
  const ptrdiff_t left = static_cast<ptrdiff_t>(-p.col0) * t.width;
  const ptrdiff_t body = static_cast<ptrdiff_t>(ow) * t.width;
  for (int n = t.block.n0; n < t.block.n1; n++) {
    for (int i = 0; i < p.rows; i++) {
      const int row = p.row0 + i;
      const bool inside = row >= 0 && row < oh, own = row >= t.block.r0 && row < t.block.r1;
      const ptrdiff_t from = (static_cast<ptrdiff_t>(n) * oh + row) * row_floats;
      for (int channel = 0, panel = 0; channel < q.k; channel += t.width, panel++) {
        float* y = t.out + panel * p.panel + (n - t.image0) * p.image + i * p.row;
        if (!inside) {
          zero_run<I>(y, p.row);
          continue;
        }
        zero_run<I>(y, left);
        zero_run<I>(y + left + body, p.row - left - body);
        const float *g = t.g + from, *raw = t.raw ? t.raw + from : g;
        if (t.a && t.mask)
          gradient_row<I, true, true>(t, channel, ow, g, raw, y + left, own);
        else if (t.a)
          gradient_row<I, true, false>(t, channel, ow, g, raw, y + left, own);
        else if (t.mask)
          gradient_row<I, false, true>(t, channel, ow, g, raw, y + left, own);
        else
          gradient_row<I, false, false>(t, channel, ow, g, raw, y + left, own);
      }
    }
  }
}

}  // namespace gotorch::kernels
