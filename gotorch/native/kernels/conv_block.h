// Fused blocks of convolution, ReLU and BatchNorm2d on the CPU, as libtorch operations.
//
// conv_chain runs a run of such blocks as one differentiable operation, equal in value to the separate
// modules. Between two blocks of a chain the normalised activation is never written to memory, and in
// the backward pass the sums of BatchNorm are taken while the data gradient is still in registers: a
// chain is therefore faster than its blocks one by one. A single block is a chain of one.
//
// Whatever the kernels do not cover goes to libtorch, unchanged: see covered().
//
// How nn.Sequential uses it: walk the children; a Conv2d (any groups: the
// fallback is inside) begins a stage; a ReLU and a BatchNorm2d that follow, in either order, join it;
// consecutive stages form a chain; call conv_chain once. Do not fuse across a module that has a forward
// hook, and do not keep fused a chain whose inner activations someone asked for.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace gotorch::kernels {

// What follows the convolution, in order.
enum class Order : int {
  kConv = 0,          // conv
  kConvReLU = 1,      // conv, ReLU
  kConvReLUNorm = 2,  // conv, ReLU, BatchNorm: fastai's and the article's order
  kConvNorm = 3,      // conv, BatchNorm
  kConvNormReLU = 4,  // conv, BatchNorm, ReLU: ResNet's order
};

// One block. Undefined tensors stand for what a module does not have.
struct Stage {
  Order order = Order::kConv;
  at::Tensor weight;  // [k, c/groups, r, s]
  at::Tensor bias;    // [k] or undefined
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 2> padding{0, 0};      // above and on the left
  std::array<int64_t, 2> padding_end{0, 0};  // below and on the right
  std::array<int64_t, 2> dilation{1, 1};
  int64_t groups = 1;
  double relu_cap = std::numeric_limits<double>::infinity();  // 6 makes the ReLU a ReLU6
  // BatchNorm2d. training: normalise with the batch's statistics and, if defined, move the running ones
  // by momentum (the factor already resolved: 1/num_batches for a cumulative average). Otherwise
  // normalise with the running ones; without running statistics the batch's are always used.
  at::Tensor gamma, beta;                // [k] or undefined
  at::Tensor running_mean, running_var;  // [k] or undefined
  bool training = false;
  double momentum = 0.1;
  double eps = 1e-5;
  // Where to write statistics (activation.h) of the convolution's and of the BatchNorm's result;
  // undefined: not wanted. They change no result.
  at::Tensor observe_conv, observe_norm;
  bool observed() const { return observe_conv.defined() || observe_norm.defined(); }
};

// y = the stages applied to x [n, c, h, w] in turn. A uint8 x is read as x/255, as pictures are. residual,
// if defined, has y's shape and is added to the last stage's result; with kConvNormReLU before its ReLU, as
// ResNet's blocks end. y is channels-last. Throws c10::Error as libtorch does for wrong shapes. Double backward through own
// kernels is refused with an error.
at::Tensor conv_chain(const at::Tensor& x, const std::vector<Stage>& stages,
                      const at::Tensor& residual = {});

inline at::Tensor conv_block(const at::Tensor& x, const Stage& stage,
                             const at::Tensor& residual = {}) {
  return conv_chain(x, {stage}, residual);
}

// Whether own kernels can run this stage on this input: float32 (x also uint8), CPU, strided, 4 dimensions,
// groups 1 or one for each of as many input as output channels (depthwise), dilation 1, not empty, more than
// one value a channel where batch statistics are asked for, autocast off, no graph being recorded.
bool covered(const at::Tensor& x, const Stage& stage);

// The shape [n, k, oh, ow] of what a covered stage makes of x.
std::array<int64_t, 4> output_sizes(const at::Tensor& x, const Stage& stage);

// auto: per stage shape, whichever was faster when both were timed once (choice.cpp); own: always own
// kernels where covered; libtorch: never.
enum class Mode : int { kAuto = 0, kOwn = 1, kLibtorch = 2 };
void set_mode(Mode mode);
Mode mode();

// The file that remembers auto's choices; empty: they last as long as the process.
void set_choice_file(const std::string& path);

// "avx512", "avx2" or "portable".
const char* instruction_set();

// Activations and gradients reuse their memory from step to step; this gives what is idle back.
void release_memory();

// One line per stage shape that auto has timed: shape, own ms, libtorch ms, choice.
std::string choices();

}  // namespace gotorch::kernels
