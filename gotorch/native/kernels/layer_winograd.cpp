// A layer's gradients through Winograd's form.
#include "layer_parts.h"

namespace gotorch::kernels {

namespace {

// Below this many bytes every thread sums its own copy of the transformed weight gradient, block by
// block; above, the transforms of about kSharedBytes are kept and each thread sums some points.
constexpr ptrdiff_t kPrivateBytes = 2 << 20;
constexpr ptrdiff_t kSharedBytes = 48 << 20;
constexpr int kLongestVector = 16;

// Planes for tiles tiles of channels channels. A tile takes slack more floats, for vectors that reach
// beyond a run of phases.
Planes planes(float* data, ptrdiff_t tiles, int channels, int slack) {
  Planes p;
  p.data = data, p.channels = channels;
  p.step = channels + slack;
  // Off the powers of two, so that the planes' same tiles do not meet in one cache set.
  p.plane = tiles * p.step + kLongestVector;
  return p;
}

ptrdiff_t floats_of(const Planes& p) { return kPoints * p.plane; }

int input_slack(const ConvShape& q) {
  const int run = q.stride_w * q.c;
  return ceil_div(run, kLongestVector) * kLongestVector - run;
}

Planes at_tile(Planes p, int tile) {
  p.data += static_cast<ptrdiff_t>(tile) * p.step;
  return p;
}

Planes input_planes(const ConvShape& q, float* data, ptrdiff_t tiles) {
  return planes(data, tiles, phase_channels(q), input_slack(q));
}

void transform_input(const ConvShape& q, const Input& in, const RowAffine& row, const Block& b,
                     const Planes& out) {
  const KernelTable& isa = kernels();
  const PackedInput layout = winograd_input_layout(q, b);
  float* x = scratch(kInputSlot, layout.floats(b.images()));
  isa.pack_input(pack_task(q, in, row, b, layout, x));
  isa.winograd_input({q, b, x, out});
}

std::shared_ptr<float> transform_weight(const PackWeight& weight, bool transposed, int channels_in,
                                        int group, int width, int panels) {
  auto packed = floats(static_cast<ptrdiff_t>(panels) * kPoints * channels_in * width);
  const int parts = threads();
  parallel(parts, [&](int t) {
    kernels().winograd_pack_weight({weight, transposed, channels_in, group, width,
                                    share(panels, t, parts), share(panels, t + 1, parts),
                                    packed.get()});
  });
  return packed;
}

struct Backward {
  const BackwardArgs& a;
  const ConvShape& q = a.shape;
  const KernelTable& isa = kernels();
  const int parts = threads();
  const int width_k = isa.width(q.k), panels_k = ceil_div(q.k, width_k), k = panels_k * width_k;
  const int in = phase_channels(q), group = phase_group(q, isa.vector);
  const int width_c = isa.width(q.stride_h * group);
  const std::vector<Block> blocks = winograd_blocks(q, parts);
  const int count = static_cast<int>(blocks.size());
  const ptrdiff_t weight_floats = static_cast<ptrdiff_t>(kPoints) * in * k;
  const RowAffine row{q, a.input.lazy};
  BlockSums bias{blocks.size(), q.k}, sum{blocks.size(), q.c}, dot{blocks.size(), q.c};
  std::shared_ptr<float> transposed;

  explicit Backward(const BackwardArgs& args) : a(args) {
    if (a.input_gradient)
      transposed = transform_weight(a.weight, true, k, group, width_c,
                                    ceil_div(q.stride_h * group, width_c));
  }

  // One block: its transformed output gradient to for_weight, and its part of the data gradient.
  void gradients(int i, const Planes& for_weight) {
    const Block& b = blocks[i];
    const PackedGradient layout = winograd_gradient_layout(q, b, width_k);
    float* g = scratch(kGradientSlot, layout.floats(panels_k));
    isa.pack_gradient(gradient_task(a, b, width_k, layout, b.n0, g, bias.of(i)));
    const int tiles = input_tiles(q, b).count();
    Planes for_data{};
    if (a.input_gradient) {
      for_data = planes(nullptr, tiles, k, 0);
      for_data.data = scratch(kPlanesSlot, floats_of(for_data));
    }
    isa.winograd_gradient({q, b, width_k, g, layout, for_data, for_weight});
    if (!a.input_gradient || tiles == 0) return;
    float* products = scratch(kProductsSlot, kPoints * winograd_product_plane(tiles, width_c));
    WinogradDataGradient d{};
    d.shape = q, d.block = b, d.weight = transposed.get(), d.in = for_data;
    d.products = products, d.out = a.input_gradient;
    d.raw = a.input.x, d.lazy = a.input.lazy, d.mean = a.mean;
    if (a.mean) d.sum = sum.of(i), d.dot = dot.of(i);
    isa.winograd_data_gradient(d, width_c);
  }

  WinogradWeightGradient outer(int tiles, const Planes& x, const Planes& g, float* out) const {
    return {width_k, tiles, 0, kPoints, x, g, out};
  }

  void by_blocks() {
    const int tasks = std::min(parts, count);
    const auto partial = a.weight_gradient ? floats(weight_floats * tasks) : nullptr;
    parallel(tasks, [&](int t) {
      float* out = partial.get() + t * weight_floats;
      if (a.weight_gradient) std::fill(out, out + weight_floats, 0.0f);
      for (int i = share(count, t, tasks); i < share(count, t + 1, tasks); i++) {
        const int tiles = output_tiles(q, blocks[i]).count();
        Planes g{}, x{};
        if (a.weight_gradient) {
          g = planes(nullptr, tiles, k, 0);
          g.data = scratch(kGradientPlanesSlot, floats_of(g));
        }
        gradients(i, g);
        if (!a.weight_gradient) continue;
        x = input_planes(q, nullptr, tiles);
        x.data = scratch(kPlanesSlot, floats_of(x));
        transform_input(q, a.input, row, blocks[i], x);
        isa.winograd_weight_gradient(outer(tiles, x, g, out));
      }
    });
    std::vector<const float*> sums;
    for (int t = 0; t < tasks; t++) sums.push_back(partial.get() + t * weight_floats);
    store_weight(sums);
  }

  void by_points() {
    const auto out = floats(weight_floats);
    std::fill(out.get(), out.get() + weight_floats, 0.0f);
    const ptrdiff_t tile_bytes = 4 * kPoints * (in + input_slack(q) + static_cast<ptrdiff_t>(k));
    const ptrdiff_t most = std::max<ptrdiff_t>(1, kSharedBytes / tile_bytes);
    for (int first = 0, last = 0; first < count; first = last) {
      // As many blocks as fit, and where in the planes each begins.
      std::vector<int> begin;
      int tiles = 0;
      for (; last < count; last++) {
        const int more = output_tiles(q, blocks[last]).count();
        if (last > first && tiles + more > most) break;
        begin.push_back(tiles);
        tiles += more;
      }
      Planes x = input_planes(q, nullptr, tiles), g = planes(nullptr, tiles, k, 0);
      const auto x_data = floats(floats_of(x)), g_data = floats(floats_of(g));
      x.data = x_data.get(), g.data = g_data.get();
      parallel(last - first, [&](int i) {
        gradients(first + i, at_tile(g, begin[i]));
        transform_input(q, a.input, row, blocks[first + i], at_tile(x, begin[i]));
      });
      parallel(parts, [&](int t) {
        WinogradWeightGradient task = outer(tiles, x, g, out.get());
        task.point0 = share(kPoints, t, parts), task.point1 = share(kPoints, t + 1, parts);
        isa.winograd_weight_gradient(task);
      });
    }
    store_weight({out.get()});
  }

  void store_weight(const std::vector<const float*>& sums) {
    if (!a.weight_gradient) return;
    PackWeight w = a.weight_gradient_layout;
    w.weight = a.weight_gradient;
    parallel(parts, [&](int t) {
      isa.winograd_unpack_weight({w, false, in, 0, width_k, share(panels_k, t, parts),
                                  share(panels_k, t + 1, parts), nullptr},
                                 sums.data(), static_cast<int>(sums.size()));
    });
  }
};

}  // namespace

std::shared_ptr<float> winograd_pack_weight(const PackWeight& weight) {
  const ConvShape& q = weight.shape;
  const int width = kernels().width(q.k);
  return transform_weight(weight, false, phase_channels(q), 0, width, ceil_div(q.k, width));
}

void winograd_forward_layer(const ForwardArgs& a) {
  const ConvShape& q = a.shape;
  const KernelTable& isa = kernels();
  const int width = isa.width(q.k), parts = threads();
  const auto weight = a.packed ? a.packed : winograd_pack_weight(a.weight);
  const std::vector<Block> blocks = winograd_blocks(q, parts);
  const Channels bias = padded_bias(a);
  const RowAffine row(q, a.input.lazy);
  const int count = static_cast<int>(blocks.size()), tasks = std::min(parts, count);
  parallel(tasks, [&](int t) {
    for (int i = share(count, t, tasks); i < share(count, t + 1, tasks); i++) {
      const int tiles = output_tiles(q, blocks[i]).count();
      Planes x = input_planes(q, nullptr, tiles);
      x.data = scratch(kPlanesSlot, floats_of(x));
      transform_input(q, a.input, row, blocks[i], x);
      float* products = scratch(kProductsSlot, kPoints * winograd_product_plane(tiles, width));
      isa.winograd_forward({forward_task(a, blocks[i], bias), weight.get(), x, products}, width);
    }
  });
}

void winograd_backward_layer(const BackwardArgs& a) {
  Backward pass(a);
  if (a.weight_gradient && 4 * pass.weight_floats > kPrivateBytes)
    pass.by_points();
  else
    pass.by_blocks();
  store_bias(a, pass.bias);
  if (a.mean) pass.sum.total(a.shape.c, a.sum), pass.dot.total(a.shape.c, a.dot);
}

}  // namespace gotorch::kernels
