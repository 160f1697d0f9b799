// The passes of a convolution block as plain functions over plain memory, one table per instruction
// set. conv_block.cpp drives them; docs/kernels.md explains the blocking.
#pragma once

#include "geometry.h"

namespace gotorch::kernels {

// Reads an activation as the next layer sees it: value = raw*scale + offset, then ReLU. The affine
// part is a BatchNorm that was never written to memory. scale == nullptr: no affine part.
struct Lazy {
  const float* scale;
  const float* offset;
  bool relu;
};

// Packs the input of a block (see PackedInput).
struct PackInput {
  ConvShape shape;
  Block block;
  const float* x;  // whole tensor, any strides
  ptrdiff_t stride_n, stride_c, stride_h, stride_w;
  Lazy lazy;
  const float* row_scale;  // lazy.scale and lazy.offset repeated over one packed row
  const float* row_offset;
  float* out;
};

// Packs the gradient of a block's convolution output (see PackedGradient) with all rows of the layout,
// applying the backward pass of what follows the convolution: d = (g - e)*a + (raw - m)*b, zero where mask and raw <= 0.
struct PackGradient {
  ConvShape shape;
  Block block;
  int width;                   // channels in a panel
  PackedGradient layout;       // of out, which may hold more than this block
  int image0;                  // first image in out
  const float* g;              // NHWC, k channels
  const float* raw;            // NHWC, k channels; may be null if not used
  const float *a, *b, *e, *m;  // k floats each, padded to whole panels; a null: d = g
  bool mask;
  float* out;
  double* sum;  // += sum of d over the block's own pixels; k padded
};

// out = epilogue(convolution(x)) for the panels [panel0, panel1) of a block.
struct Forward {
  ConvShape shape;
  Block block;
  int width, panel0, panel1;
  const float* x;       // packed
  ptrdiff_t* segment;   // scratch, segments(shape) entries
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
};

// Gradient with respect to the input for the panels [panel0, panel1) of input channels.
struct DataGradient {
  ConvShape shape;
  Block block;
  int width_k, width_c, panel0, panel1;
  const float* g;         // packed, with halo
  PackedGradient layout;  // of g, which may hold more than this block
  int image0;             // first image in g
  ptrdiff_t* segment;     // scratch, segments(shape) entries
  const float* weight;    // [class][panel of c][panel of k][taps_h][taps_w][width_k][width_c]
  float* out;             // whole tensor, NHWC, c channels
  // What made the input: its raw tensor and its lazy form. relu: gradients are zeroed where the
  // value is not positive. sum, dot: += g and g*(raw - mean), c padded each, or null.
  const float* raw;
  Lazy lazy;
  const float* mean;
  double *sum, *dot;
};

// weight gradient += over a block, for tiles [tile0, tile1) of (kernel row, columns) and all panels.
struct WeightGradient {
  ConvShape shape;
  Block block;
  int width;
  int tile0, tile1;
  const float* x;  // packed
  const float* g;  // packed as layout says, first image the block's
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
  float* out;
};

// The sums BatchNorm's backward needs from a gradient that did not come from DataGradient:
// sum += g, dot += g*(raw - mean), g first zeroed where positive <= 0 (and then stored to masked).
struct ReduceGradient {
  ptrdiff_t pixels;
  int channels;
  const float *g, *raw, *mean;
  const float* positive;  // null: no mask
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
  int channels;
  const float *scale4, *offset4;
  ValueCounts* counts;
};

struct KernelTable {
  const char* name;
  int (*width)(int channels);                 // channels in a panel for a layer with this many
  int (*tiles)(const ConvShape&, int width);  // weight-gradient tiles of a layer
  void (*pack_input)(const PackInput&);
  void (*pack_gradient)(const PackGradient&);
  void (*forward)(const Forward&);
  void (*data_gradient)(const DataGradient&);
  void (*weight_gradient)(const WeightGradient&);
  void (*normalise)(const Normalise&);
  void (*reduce_gradient)(const ReduceGradient&);
  void (*observe)(const Observe&);
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

// Weights in the layouts above, from a tensor with any strides (in floats).
struct PackWeight {
  ConvShape shape;
  const float* weight;
  ptrdiff_t stride_k, stride_c, stride_r, stride_s;
};
void pack_weight(const PackWeight& p, int width, int panel0, int panel1, float* out);
void pack_weight_transposed(const PackWeight& p, int width_k, int width_c, int panel0, int panel1,
                            float* out);
// The inverse of pack_weight: the sum of several partial gradients, in order, to a strided tensor.
void unpack_weight(const PackWeight& p, int width, const float* const* parts, int count, int panel0,
                   int panel1, float* out);

}  // namespace gotorch::kernels
