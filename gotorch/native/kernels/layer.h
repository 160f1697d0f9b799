// One convolution layer: cuts each pass into blocks, runs them on all threads, merges their sums.
#pragma once

#include <memory>
#include <vector>

#include "kernels.h"

namespace gotorch::kernels {

using Channels = std::vector<float>;  // one float per channel, zero-padded to whole panels
Channels channels(int count, float value = 0);

// A convolution's input: where it lies and how it reads (see Lazy, and PackInput about bytes).
struct Input {
  const float* x;
  ptrdiff_t stride_n, stride_c, stride_h, stride_w;
  const uint8_t* bytes;
  Lazy lazy;
};

struct ForwardArgs {
  ConvShape shape;
  Input input;
  PackWeight weight;
  std::shared_ptr<float> packed;  // see pack_forward_weight; null: made here
  const float* bias;              // k floats or null
  bool relu;
  std::vector<ValueCounts>* observed;   // gets the statistics of out from before its ReLU, or null
  float* out;                           // NHWC
  std::vector<double>*mean, *variance;  // of out per channel (variance biased), or null
  const float *scale, *offset, *residual;  // inference only, or null; scale, offset as Channels
  bool relu_last;
  float cap;       // of either ReLU
  bool inference;  // no gradient is wanted of anything: Winograd's form may be taken
};
void forward_layer(const ForwardArgs& a);

// The forms of a forward pass. Each wants its weights packed its own way.
enum class Form { kDirect, kDepthwise, kWinograd };
// The one that forward_layer takes.
Form form_of(const ForwardArgs& a);
// The weights as it wants them, for ForwardArgs::packed.
std::shared_ptr<float> pack_forward_weight(const PackWeight& weight, Form form);

struct BackwardArgs {
  ConvShape shape;
  Input input;
  PackWeight weight;
  // Gradient of the layer's output and how to turn it into that of the convolution: PackGradient.
  const float *g, *raw;
  const float *a, *b, *e, *m, *rest;
  bool mask;
  float cap;
  float* weight_gradient;             // or null
  PackWeight weight_gradient_layout;  // its strides
  float* bias_gradient;               // k floats, or null
  // Gradient of the input, NHWC, or null; masked where the input's lazy.relu says so; and, if the
  // input came through a BatchNorm, the sums of it and of it times (x - mean), c doubles each.
  float* input_gradient;
  const float* mean;  // Channels, or null: no sums
  std::vector<double>*sum, *dot;
};
void backward_layer(const BackwardArgs& a);

// The same through Winograd's form (winograd.h), where it fits; forward without statistics.
void winograd_forward_layer(const ForwardArgs& a);
std::shared_ptr<float> winograd_pack_weight(const PackWeight& weight);
void winograd_backward_layer(const BackwardArgs& a);

// The same for depthwise convolutions.
void depthwise_forward_layer(const ForwardArgs& a);
std::shared_ptr<float> depthwise_pack_weight(const PackWeight& weight);
void depthwise_backward_layer(const BackwardArgs& a);

// The pointwise passes, on all threads. sum and dot: channels doubles, or null.
void normalise(const Normalise& t);
void reduce_gradient(const ReduceGradient& t, std::vector<double>* sum, std::vector<double>* dot);

}  // namespace gotorch::kernels
