// The passes of a convolution block as plain functions over plain memory, one table per instruction
// set. conv_block.cpp drives them; docs/kernels.md explains the blocking.
#pragma once

#include <cstdint>

#include "geometry.h"
#include "winograd.h"

namespace gotorch::kernels {

// Reads an activation as the next layer sees it: value = raw*scale + offset, then ReLU. The affine
// part is a BatchNorm that was never written to memory. scale == nullptr: no affine part. With every
// ReLU goes its cap: 6 for ReLU6, else infinity.
struct Lazy {
  const float* scale;
  const float* offset;
  bool relu;
  float cap;
};

// Packs the input of a block (see PackedInput).
struct PackInput {
  ConvShape shape;
  Block block;
  PackedInput layout;
  const float* x;  // whole tensor, any strides
  ptrdiff_t stride_n, stride_c, stride_h, stride_w;
  const uint8_t* bytes;  // null, or instead of x: NHWC, read as bytes/255 and without lazy
  Lazy lazy;
  const float* row_scale;  // lazy.scale and lazy.offset repeated over one packed row
  const float* row_offset;
  float* out;
};

// Packs the gradient of a block's convolution output (see PackedGradient) with all rows of the layout,
// applying the backward pass of what follows the convolution: d = (g - e)*a + (raw - m)*b + rest, zero where
// mask and raw <= 0.
struct PackGradient {
  ConvShape shape;
  Block block;
  int width;                          // channels in a panel
  PackedGradient layout;              // of out, which may hold more than this block
  int image0;                         // first image in out
  const float* g;                     // NHWC, k channels
  const float* raw;                   // NHWC, k channels; may be null if not used
  const float *a, *b, *e, *m, *rest;  // k floats each, padded to whole panels; a null: d = g
  bool mask;
  float cap;  // and zero where mask and raw >= cap
  float* out;
  double* sum;  // += sum of d over the block's own pixels; k padded
};

// A run of consecutive floats of a pixel's operand and the weights they meet: offsets from the pixel and from the
// panel's first weight.
struct Segment {
  ptrdiff_t x, weight;
};

// out = epilogue(convolution(x)) for the panels [panel0, panel1) of a block.
struct Forward {
  ConvShape shape;
  Block block;
  int width, panel0, panel1;
  TapRuns rows, cols;   // of the whole image
  const float* x;       // packed
  Segment* segment;     // scratch, segments(shape) entries
  const float* weight;  // [panel][r][s*c][width]
  const float* bias;    // padded to whole panels
  bool relu;
  bool keep_negative;  // with relu: out is from before it, the statistics from after it
  float* out;          // whole tensor, NHWC, k channels
  // Statistics of the block's part of out, k padded each, zero before, or null: the mean and the sum
  // of squared deviations from it.
  double *mean, *squares;
  // Inference: then out*scale + offset, + residual, ReLU. Null where absent.
  const float *scale, *offset, *residual;
  bool relu_last;
  float cap;  // of either ReLU
};

// Gradient with respect to the input for the panels [panel0, panel1) of input channels.
struct DataGradient {
  ConvShape shape;
  Block block;
  int width_k, width_c, panel0, panel1;
  const float* g;              // packed, with halo
  PackedGradient layout;       // of g, which may hold more than this block
  int image0;                  // first image in g
  const TapRuns *rows, *cols;  // of each residue class of rows and of columns
  Segment* segment;            // scratch, segments(shape) entries
  const float* weight;         // [class][panel of c][panel of k][taps_h][taps_w][width_k][width_c]
  float* out;                  // whole tensor, NHWC, c channels
  // What made the input: its raw tensor and its lazy form. relu: gradients are zeroed where the
  // value is not positive. sum, dot: += g and g*(raw - mean), c padded each, or null.
  const float* raw;
  Lazy lazy;
  const float* mean;
  double *sum, *dot;
};

// weight gradient += over a block, for every tile_step-th tile of (kernel row, columns) from tile0 on and all panels.
struct WeightGradient {
  ConvShape shape;
  Block block;
  int width;
  int tile0, tile_step;
  const TapOutputs *rows, *cols;  // of each row and column of the kernel
  const float* x;                 // packed
  const float* g;                 // packed as layout says, first image the block's
  PackedGradient layout;
  float* out;  // [panel][r][s*c][width]
};

// One pass over NHWC data: y = lazy(raw) (+ residual, then ReLU if relu_last).
struct Normalise {
  ptrdiff_t pixels;
  int channels;
  const float* raw;
  Lazy lazy;
  const float* residual;
  bool relu_last;
  float cap;
  float* out;
};

// The sums BatchNorm's backward needs from a gradient that did not come from DataGradient:
// sum += g, dot += g*(raw - mean), g first zeroed (and then stored to masked) where positive <= 0 or, with
// lazy.relu, where the value that raw stands for is.
struct ReduceGradient {
  ptrdiff_t pixels;
  int channels;
  const float *g, *raw, *mean;
  const float* positive;  // null: no mask
  float cap;              // g is also zeroed where positive >= cap
  Lazy lazy;
  float* masked;
  double *sum, *dot;  // null: mask only
};

// What is counted of activations; see activation.h. sum and square are of value - shift.
struct ValueCounts {
  float shift = 0;
  long long values = 0;
  double sum = 0, square = 0;
  long long near_zero = 0;
  long long bins[40] = {};
};

// One pass over dense values, added to counts: raw, then a ReLU in place if there is one; or, with scale4, the
// BatchNorm raw*scale + offset of whole pixels (NHWC). scale4 and offset4 are 4 times those, repeated until
// there are channels + kObserved of them.
constexpr int kObserved = 256;
struct Observe {
  float* raw;
  ptrdiff_t values;
  bool relu;
  float cap;  // of the ReLU
  int channels;
  const float *scale4, *offset4;
  ValueCounts* counts;
};

// Transformed tiles: the value of a point, tile and channel is data[point*plane + tile*step + channel].
struct Planes {
  float* data;
  ptrdiff_t plane;
  int channels, step;
};

// Winograd's transforms of a block's packed input and of its packed output gradient; see winograd.h. Planes
// without data are not wanted.
struct WinogradInput {
  ConvShape shape;
  Block block;
  const float* x;
  Planes out;
};

struct WinogradGradient {
  ConvShape shape;
  Block block;
  int width;
  const float* g;
  PackedGradient layout;  // of g
  Planes for_data, for_weight;
};

// Outputs without statistics. products: scratch, kPoints * winograd_product_plane(tiles, panel width) floats.
struct WinogradForward {
  Forward task;         // without segment, x and weight
  const float* weight;  // [panel][point][channel in][width]
  Planes in;
  float* products;
};

// products: scratch, kPoints * winograd_product_plane(tiles, panel width) floats.
// Writes the gradient of the block's input rows; raw, lazy, mean, sum and dot as in DataGradient.
struct WinogradDataGradient {
  ConvShape shape;
  Block block;
  const float* weight;  // [panel of phases and c][point][k][width]
  Planes in;
  float *products, *out;  // out: whole tensor, NHWC, c channels
  const float* raw;
  Lazy lazy;
  const float* mean;
  double *sum, *dot;
};

// out [point][panel][channel in][width] += over tiles, for points [point0, point1).
struct WinogradWeightGradient {
  int width, tiles, point0, point1;
  Planes in, g;
  float* out;
};

inline ptrdiff_t winograd_product_plane(int tiles, int width) {
  return static_cast<ptrdiff_t>(tiles) * width + 16;
}

// A weight tensor with any strides (in floats).
struct PackWeight {
  ConvShape shape;
  const float* weight;
  ptrdiff_t stride_k, stride_c, stride_r, stride_s;
};
// The taps of one pair of channels that are in the kernel, as rows and columns of the transform's nine.
struct WinogradTaps {
  float* first;  // tap (row0, col0)
  ptrdiff_t row, col;
  int row0, row1, col0, col1;
  float* at(int i, int j) const { return first + (i - row0) * row + (j - col0) * col; }
};

// Weights and their transform [panel][point][channel in][width]; transposed: for the data gradient, from
// k (whole panels of width_k) to the phases' channels in groups (phase_group).
struct WinogradWeight {
  PackWeight weight;
  bool transposed;
  int channels_in, group, width, panel0, panel1;
  float* packed;
  WinogradTaps taps(int in, int out) const;
  // Whether the kernels of channels out from first to last are all there and differ in one index alone.
  bool together(int first, int last) const {
    const ConvShape& q = weight.shape;
    if (!transposed) return last < q.k;
    const int run = q.stride_w * q.c;
    return first / group == last / group && last / group < q.stride_h && last % group < run &&
           first % group / q.c == last % group / q.c;
  }
};

constexpr int kWidestDepthwise = 7;

struct KernelTable {
  const char* name;
  int vector;                  // floats in one
  int (*width)(int channels);  // channels in a panel for a layer with this many
  void (*pack_input)(const PackInput&);
  void (*pack_gradient)(const PackGradient&);
  void (*forward)(const Forward&);
  void (*data_gradient)(const DataGradient&);
  void (*weight_gradient)(const WeightGradient&);
  void (*normalise)(const Normalise&);
  void (*reduce_gradient)(const ReduceGradient&);
  void (*observe)(const Observe&);
  // Panels of one vector, and weights [panel][r][s][vector]. Only s up to kWidestDepthwise.
  void (*depthwise_forward)(const Forward&);
  void (*depthwise_data_gradient)(const DataGradient&);
  void (*depthwise_weight_gradient)(const WeightGradient&);
  void (*winograd_input)(const WinogradInput&);
  void (*winograd_forward)(const WinogradForward&, int width);
  void (*winograd_gradient)(const WinogradGradient&);
  void (*winograd_data_gradient)(const WinogradDataGradient&, int width);
  void (*winograd_weight_gradient)(const WinogradWeightGradient&);
  void (*winograd_pack_weight)(const WinogradWeight&);
  void (*winograd_unpack_weight)(const WinogradWeight&, const float* const* parts, int count);
};

extern const KernelTable portable_kernels;
#if defined(__x86_64__)
extern const KernelTable avx2_kernels;    // call only where cpuid shows AVX2 and FMA
extern const KernelTable avx512_kernels;  // ... AVX-512 F, VL, DQ, BW
#endif

// The best table for this machine, or the one named in GOTORCH_KERNELS_ISA (portable, avx2, avx512).
const KernelTable& kernels();

// Entries of scratch for the segment lists of one unit of work.
inline int segments(const ConvShape& q, int width) { return q.r * ceil_div(q.k, width) + 1; }

inline int padded(int channels, int width) { return ceil_div(channels, width) * width; }

// Weights in the layouts above.
void pack_weight(const PackWeight& p, int width, int panel0, int panel1, float* out);
void pack_weight_transposed(const PackWeight& p, int width_k, int width_c, int panel0, int panel1,
                            float* out);
// The inverse of pack_weight: the sum of several partial gradients, in order, to a strided tensor.
void unpack_weight(const PackWeight& p, int width, const float* const* parts, int count, int panel0,
                   int panel1, float* out);

}  // namespace gotorch::kernels
