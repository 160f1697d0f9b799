// What the drivers of a layer's passes share.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "layer.h"
#include "moments.h"
#include "parallel.h"
#include "recycle.h"

namespace gotorch::kernels {

constexpr int kPadding = 32;  // the widest panel of any instruction set

// A share of work: units [first, last) of count for part of parts.
inline int share(int count, int part, int parts) {
  return static_cast<int>(static_cast<long long>(count) * part / parts);
}

inline TapRuns view(const std::vector<TapRun>& runs) {
  return {runs.data(), static_cast<int>(runs.size())};
}

// One row of the per-channel affine of a lazy input, repeated for every column.
struct RowAffine {
  std::vector<float> scale, offset;
  RowAffine(const ConvShape& q, const Lazy& lazy) {
    if (!lazy.scale) return;
    for (int i = 0; i < q.w; i++) {
      scale.insert(scale.end(), lazy.scale, lazy.scale + q.c);
      offset.insert(offset.end(), lazy.offset, lazy.offset + q.c);
    }
  }
  const float* scale_row() const { return scale.empty() ? nullptr : scale.data(); }
  const float* offset_row() const { return offset.empty() ? nullptr : offset.data(); }
};

inline PackInput pack_task(const ConvShape& q, const Input& in, const RowAffine& row,
                           const Block& b, const PackedInput& layout, float* out) {
  return {q,           b,           layout,   in.x,    in.stride_n,     in.stride_c,
          in.stride_h, in.stride_w, in.bytes, in.lazy, row.scale_row(), row.offset_row(),
          out};
}

// What every forward pass of a layer says of its epilogue. bias: padded to whole panels.
inline Forward forward_task(const ForwardArgs& a, const Block& b, const Channels& bias) {
  Forward f{};
  f.shape = a.shape, f.block = b, f.bias = bias.data(), f.width = kernels().width(a.shape.k);
  f.relu = a.relu, f.keep_negative = a.relu && a.observed, f.cap = a.cap, f.out = a.out;
  f.scale = a.scale, f.offset = a.offset, f.residual = a.residual, f.relu_last = a.relu_last;
  return f;
}

inline PackGradient gradient_task(const BackwardArgs& a, const Block& b, int width,
                                  const PackedGradient& layout, int image0, float* out,
                                  double* sum) {
  return {a.shape, b,   width, layout, image0, a.g,   a.raw, a.a,
          a.b,     a.e, a.m,   a.rest, a.mask, a.cap, out,   sum};
}

inline Channels padded_bias(const ForwardArgs& a) {
  Channels bias = channels(a.shape.k);
  if (a.bias) std::copy(a.bias, a.bias + a.shape.k, bias.begin());
  return bias;
}

inline std::shared_ptr<float> floats(ptrdiff_t count) {
  return recycled(static_cast<size_t>(count));
}

// Sums per block and channel, added up in block order: the same result whoever ran which block.
struct BlockSums {
  int width;
  std::vector<double> data;
  BlockSums(size_t blocks, int channels)
      : width(padded(channels, kPadding)), data(blocks * width, 0.0) {}
  double* of(size_t block) { return data.data() + block * width; }
  void total(int channels, std::vector<double>* out) const {
    out->assign(channels, 0.0);
    for (size_t i = 0; i < data.size(); i += width)
      for (int c = 0; c < channels; c++) (*out)[c] += data[i + c];
  }
};

// Mean and variance per channel, each block's joined in block order.
struct BlockStatistics {
  BlockSums means, squares;
  BlockStatistics(size_t blocks, int channels)
      : means(blocks, channels), squares(blocks, channels) {}
  void collect(size_t block, Forward* f) {
    f->mean = means.of(block), f->squares = squares.of(block);
  }
  void merge(const ConvShape& q, const std::vector<Block>& blocks, std::vector<double>* mean,
             std::vector<double>* variance) {
    mean->assign(q.k, 0.0), variance->assign(q.k, 0.0);
    for (int k = 0; k < q.k; k++) {
      Moments all;
      for (size_t i = 0; i < blocks.size(); i++) {
        const double count = static_cast<double>(blocks[i].images()) * blocks[i].rows() * q.ow();
        all.join({count, means.of(i)[k], squares.of(i)[k]});
      }
      (*mean)[k] = all.mean, (*variance)[k] = std::max(0.0, all.squares / all.count);
    }
  }
};

inline void store_bias(const BackwardArgs& a, const BlockSums& sums) {
  if (!a.bias_gradient) return;
  std::vector<double> total;
  sums.total(a.shape.k, &total);
  std::copy(total.begin(), total.end(), a.bias_gradient);
}

}  // namespace gotorch::kernels
