// A depthwise layer's passes.
#include "activation.h"
#include "layer_parts.h"

namespace gotorch::kernels {

namespace {

// What one unit of work may pack: half of a common second-level cache.
constexpr ptrdiff_t kBlockBytes = 512 << 10;

std::vector<Block> blocks_of(const ConvShape& q) {
  const int parts = threads();
  const ptrdiff_t image_bytes = 4 * packed_input(q, {0, 1, 0, q.oh()}).image;
  const ptrdiff_t want = image_bytes > kBlockBytes
                             ? q.n * ((image_bytes + kBlockBytes - 1) / kBlockBytes)
                             : ceil_div(q.n, static_cast<int>(kBlockBytes / image_bytes));
  return split(q.n, q.oh(), ceil_div(std::max(parts, static_cast<int>(want)), parts) * parts);
}

}  // namespace

std::shared_ptr<float> depthwise_pack_weight(const PackWeight& p) {
  const ConvShape& q = p.shape;
  const int width = kernels().vector, panels = ceil_div(q.k, width), taps = q.r * q.s;
  auto packed = floats(static_cast<ptrdiff_t>(panels) * taps * width);
  for (int i = 0; i < panels * width; i++)
    for (int t = 0; t < taps; t++)
      packed.get()[(static_cast<ptrdiff_t>(i / width) * taps + t) * width + i % width] =
          i < q.k ? p.weight[i * p.stride_k + t / q.s * p.stride_r + t % q.s * p.stride_s] : 0;
  return packed;
}

void depthwise_forward_layer(const ForwardArgs& a) {
  const KernelTable& isa = kernels();
  const ConvShape& q = a.shape;
  const auto weight = a.packed ? a.packed : depthwise_pack_weight(a.weight);
  const Channels bias = padded_bias(a);
  const RowAffine row(q, a.input.lazy);
  const std::vector<Block> blocks = blocks_of(q);
  const int count = static_cast<int>(blocks.size()), tasks = std::min(threads(), count);
  const bool stats = a.mean != nullptr;
  BlockStatistics sums(stats ? count : 0, q.k);
  if (a.observed) a.observed->resize(tasks);
  parallel(tasks, [&](int t) {
    for (int i = share(count, t, tasks); i < share(count, t + 1, tasks); i++) {
      const Block& b = blocks[i];
      const PackedInput layout = packed_input(q, b);
      float* x = scratch(kInputSlot, layout.floats(b.images()));
      isa.pack_input(pack_task(q, a.input, row, b, layout, x));
      Forward f = forward_task(a, b, bias);
      f.width = isa.vector, f.weight = weight.get(), f.x = x;
      f.panel0 = 0, f.panel1 = ceil_div(q.k, isa.vector);
      if (stats) sums.collect(i, &f);
      isa.depthwise_forward(f);
      if (a.observed) observe_block(f, &(*a.observed)[t]);
    }
  });
  if (stats) sums.merge(q, blocks, a.mean, a.variance);
}

void depthwise_backward_layer(const BackwardArgs& a) {
  const KernelTable& isa = kernels();
  const ConvShape& q = a.shape;
  const int width = isa.vector, panels = ceil_div(q.k, width);
  const bool halo = a.input_gradient != nullptr;
  const auto weight = halo ? depthwise_pack_weight(a.weight) : nullptr;
  const RowAffine row(q, a.input.lazy);
  const std::vector<Block> blocks = blocks_of(q);
  const int count = static_cast<int>(blocks.size()), tasks = std::min(threads(), count);
  const int size = panels * q.r * q.s * width;
  std::vector<double> partial(static_cast<size_t>(size) * tasks, 0.0);
  BlockSums bias(count, q.k), sum(count, q.c), dot(count, q.c);
  parallel(tasks, [&](int t) {
    std::vector<float> of_block(size);
    for (int i = share(count, t, tasks); i < share(count, t + 1, tasks); i++) {
      const Block& b = blocks[i];
      const PackedGradient layout = packed_gradient(q, b, width, halo);
      float* g = scratch(kGradientSlot, layout.floats(panels));
      isa.pack_gradient(gradient_task(a, b, width, layout, b.n0, g, bias.of(i)));
      if (a.weight_gradient) {
        const PackedInput in = packed_input(q, b);
        float* x = scratch(kInputSlot, in.floats(b.images()));
        isa.pack_input(pack_task(q, a.input, row, b, in, x));
        std::fill(of_block.begin(), of_block.end(), 0.0f);
        isa.depthwise_weight_gradient(
            {q, b, width, 0, 1, nullptr, nullptr, x, g, layout, of_block.data()});
        for (int j = 0; j < size; j++) partial[static_cast<size_t>(t) * size + j] += of_block[j];
      }
      if (!halo) continue;
      DataGradient d{};
      d.shape = q, d.block = b, d.width_k = d.width_c = width, d.panel1 = panels;
      d.g = g, d.layout = layout, d.image0 = b.n0, d.weight = weight.get();
      d.out = a.input_gradient, d.raw = a.input.x, d.lazy = a.input.lazy, d.mean = a.mean;
      if (a.mean) d.sum = sum.of(i), d.dot = dot.of(i);
      isa.depthwise_data_gradient(d);
    }
  });
  if (a.weight_gradient) {
    const PackWeight& p = a.weight_gradient_layout;
    for (int k = 0; k < q.k; k++)
      for (int tap = 0; tap < q.r * q.s; tap++) {
        double total = 0;
        for (int t = 0; t < tasks; t++)
          total += partial[static_cast<size_t>(t) * size +
                           (static_cast<size_t>(k / width) * q.r * q.s + tap) * width + k % width];
        a.weight_gradient[k * p.stride_k + tap / q.s * p.stride_r + tap % q.s * p.stride_s] =
            static_cast<float>(total);
      }
  }
  store_bias(a, bias);
  if (a.mean) sum.total(q.c, a.sum), dot.total(q.c, a.dot);
}

}  // namespace gotorch::kernels
