// Shapes, strides and the ways a convolution is cut into pieces. No libtorch, no instruction set.
//
// Names follow the field: n images, c input channels, k output channels, h x w input pixels, oh x ow
// output pixels, r x s the kernel. All strides below are in floats.
#pragma once

#include <cstddef>
#include <vector>

namespace gotorch::kernels {

struct ConvShape {
  int n, c, h, w;  // input
  int k, r, s;     // output channels and kernel
  int stride_h, stride_w;
  int pad_h, pad_w;  // zeros above and on the left
  int end_h, end_w;  // zeros below and on the right
  bool depthwise;    // k == c, and each channel is convolved by itself
  int oh() const { return (h + pad_h + end_h - r) / stride_h + 1; }
  int ow() const { return (w + pad_w + end_w - s) / stride_w + 1; }
};

// A block of work: images [n0, n1), output rows [r0, r1).
struct Block {
  int n0, n1, r0, r1;
  int images() const { return n1 - n0; }
  int rows() const { return r1 - r0; }
};

inline int ceil_div(int a, int b) { return (a + b - 1) / b; }
inline int floor_div(int a, int b) { return a >= 0 ? a / b : -ceil_div(-a, b); }

// The packed input of a block: zero-padded NHWC, holding just the rows and columns that the block's
// outputs read, so that one kernel row of one output pixel is s*c consecutive floats.
struct PackedInput {
  int rows, cols;
  ptrdiff_t row, image;
  ptrdiff_t floats(int images) const { return images * image; }
};

inline PackedInput packed_input(const ConvShape& q, const Block& b) {
  PackedInput p;
  p.rows = (b.rows() - 1) * q.stride_h + q.r;
  p.cols = (q.ow() - 1) * q.stride_w + q.s;
  p.row = static_cast<ptrdiff_t>(p.cols) * q.c;
  p.image = p.rows * p.row;
  return p;
}

// The input rows whose gradient a block of output rows is responsible for. The blocks of one image
// share out all h rows without overlap.
inline void gradient_rows(const ConvShape& q, const Block& b, int* i0, int* i1) {
  const int first = b.r0 * q.stride_h, last = b.r1 * q.stride_h;
  *i0 = b.r0 == 0 ? 0 : (first < q.h ? first : q.h);
  *i1 = b.r1 == q.oh() ? q.h : (last < q.h ? last : q.h);
}

// The packed output gradient of a block: [panel of channels][image][row][col][channel in panel],
// with a border of zeros (and of neighbouring rows) wide enough for the data gradient.
struct PackedGradient {
  int row0, rows;  // output row of the first packed row (may be negative), their number
  int col0, cols;
  ptrdiff_t row, image, panel;
  ptrdiff_t floats(int panels) const { return panels * panel; }
};

inline PackedGradient packed_gradient(const ConvShape& q, const Block& b, int width, bool halo) {
  PackedGradient p;
  p.row0 = b.r0, p.col0 = 0;
  int row1 = b.r1, col1 = q.ow();
  if (halo) {
    int i0, i1;
    gradient_rows(q, b, &i0, &i1);
    const int low = -floor_div(-(i0 + q.pad_h - q.r + 1), q.stride_h);
    const int high = floor_div(i1 - 1 + q.pad_h, q.stride_h) + 1;
    const int left = -floor_div(-(q.pad_w - q.s + 1), q.stride_w);
    const int right = floor_div(q.w - 1 + q.pad_w, q.stride_w) + 1;
    if (i0 < i1 && low < p.row0) p.row0 = low;
    if (i0 < i1 && high > row1) row1 = high;
    if (left < p.col0) p.col0 = left;
    if (right > col1) col1 = right;
  }
  p.rows = row1 - p.row0;
  p.cols = col1 - p.col0;
  p.row = static_cast<ptrdiff_t>(p.cols) * width;
  p.image = p.rows * p.row;
  p.panel = b.images() * p.image;
  return p;
}

// One residue class of the data gradient along one axis. An input row i = stride*a + residue
// receives from kernel rows tap0, tap0 + stride, ... (taps of them) and so from the output rows
// a + base - (taps-1) ... a + base: a stride-1 convolution with the taps reversed.
struct Residue {
  int tap0, taps, base;
};

inline Residue residue(int index, int pad, int kernel, int stride) {
  Residue q;
  q.tap0 = (index + pad) % stride;
  q.taps = q.tap0 < kernel ? (kernel - q.tap0 + stride - 1) / stride : 0;
  q.base = (index + pad - q.tap0) / stride;
  return q;
}

// Floats of the packed data-gradient weights of every class up to (index_h, index_w), for one
// convolution with k channels padded to k_padded and c to c_padded. Classes follow in row order.
inline ptrdiff_t residue_offset(const ConvShape& q, int klass, int k_padded, int c_padded) {
  ptrdiff_t sum = 0;
  for (int i = 0; i < klass; i++) {
    const Residue a = residue(i / q.stride_w, q.pad_h, q.r, q.stride_h);
    const Residue b = residue(i % q.stride_w, q.pad_w, q.s, q.stride_w);
    sum += static_cast<ptrdiff_t>(a.taps) * b.taps * k_padded * c_padded;
  }
  return sum;
}

// Outputs [first, last) along an axis, which read the same taps [tap0, tap1) of the kernel inside the input; their other
// taps meet padding. tap0 == tap1: all of them do.
struct TapRun {
  int first, last;
  int tap0, tap1;
};

// All outputs of an axis in runs, the longest first, so that padding need not be multiplied: a third of the
// multiplications of a 3x3 kernel at stride 2 whose input is 7x7. One run where that would save next to nothing.
std::vector<TapRun> tap_runs(int outputs, int size, int stride, int pad, int taps);

// The same as plain memory.
struct TapRuns {
  const TapRun* run;
  int count;
};

// The outputs [first, last) along an axis that read one tap inside the input; first >= last: none.
struct TapOutputs {
  int first, last;
};

// Those of every tap of an axis.
std::vector<TapOutputs> tap_outputs(int outputs, int size, int stride, int pad, int taps);

// The s*c columns of a kernel row are cut into equal tiles of at most max_columns.
struct Tiling {
  int per_row, columns;
};

inline Tiling tiling(const ConvShape& q, int max_columns) {
  Tiling t;
  const int len = q.s * q.c;
  t.per_row = ceil_div(len, max_columns);
  t.columns = ceil_div(len, t.per_row);
  t.per_row = ceil_div(len, t.columns);
  return t;
}

// Cuts n images of rows output rows each into at least want blocks where that is possible: groups of
// whole images, or bands of rows when there are more blocks than images.
std::vector<Block> split(int n, int rows, int want);

}  // namespace gotorch::kernels
