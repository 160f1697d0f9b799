#include "layer.h"

#include <algorithm>
#include <memory>

#include "activation.h"
#include "layer_parts.h"
#include "winograd.h"

namespace gotorch::kernels {

namespace {

// Blocking, in bytes: what one unit of work may pack (half of a common second-level cache), below
// which weights every thread sums its own copy of the weight gradient, and how much of the batch is
// packed at once where threads share it.
constexpr ptrdiff_t kBlockBytes = 512 << 10;
constexpr ptrdiff_t kPrivateWeightBytes = 512 << 10;
constexpr ptrdiff_t kSharedBytes = 48 << 20;
// A block of at least this many pixels reads the weights seldom enough to hide it.
constexpr int kBlockPixels = 192;

// How a pass is cut: blocks of pixels times groups of panels.
struct Cut {
  std::vector<Block> blocks;
  int groups;
  int units() const { return static_cast<int>(blocks.size()) * groups; }
};

Cut cut(const ConvShape& q, int panels, ptrdiff_t image_bytes) {
  const int parts = threads(), pixels = q.oh() * q.ow();
  Cut c;
  c.groups = static_cast<long long>(q.n) * pixels < 64LL * parts ? std::min(panels, parts) : 1;
  int want;
  if (image_bytes > kBlockBytes) {
    want = q.n * static_cast<int>((image_bytes + kBlockBytes - 1) / kBlockBytes);
  } else {
    const int fit = static_cast<int>(kBlockBytes / image_bytes);
    want = ceil_div(q.n, std::max(1, std::min(fit, ceil_div(kBlockPixels, pixels))));
  }
  // The same number of blocks for every thread, where there are enough images or rows.
  want = std::max(want, ceil_div(parts, c.groups));
  if (c.groups == 1) want = ceil_div(want, parts) * parts;
  c.blocks = split(q.n, q.oh(), std::max(1, want));
  return c;
}

}  // namespace

Channels channels(int count, float value) {
  Channels c(padded(count, kPadding), 0.0f);
  std::fill(c.begin(), c.begin() + count, value);
  return c;
}

Form form_of(const ForwardArgs& a) {
  if (a.shape.depthwise) return Form::kDepthwise;
  return a.inference && !a.mean && !a.observed && winograd_pays(a.shape, threads())
             ? Form::kWinograd
             : Form::kDirect;
}

std::shared_ptr<float> pack_forward_weight(const PackWeight& weight, Form form) {
  const ConvShape& q = weight.shape;
  if (form == Form::kDepthwise) return depthwise_pack_weight(weight);
  if (form == Form::kWinograd) return winograd_pack_weight(weight);
  const int width = kernels().width(q.k), panels = ceil_div(q.k, width), parts = threads();
  auto packed = floats(static_cast<ptrdiff_t>(q.r) * q.s * q.c * panels * width);
  parallel(parts, [&](int t) {
    pack_weight(weight, width, share(panels, t, parts), share(panels, t + 1, parts), packed.get());
  });
  return packed;
}

void forward_layer(const ForwardArgs& a) {
  const Form form = form_of(a);
  if (form == Form::kDepthwise) return depthwise_forward_layer(a);
  if (form == Form::kWinograd) return winograd_forward_layer(a);
  const KernelTable& isa = kernels();
  const ConvShape& q = a.shape;
  const int width = isa.width(q.k), panels = ceil_div(q.k, width), parts = threads();
  const auto weight = a.packed ? a.packed : pack_forward_weight(a.weight, form);
  const Channels bias = padded_bias(a);
  const RowAffine row(q, a.input.lazy);

  const ptrdiff_t image_bytes = packed_input(q, {0, 1, 0, q.oh()}).image * 4;
  const Cut c = cut(q, panels, image_bytes);
  const auto rows = tap_runs(q.oh(), q.h, q.stride_h, q.pad_h, q.r);
  const auto cols = tap_runs(q.ow(), q.w, q.stride_w, q.pad_w, q.s);
  const bool stats = a.mean != nullptr;
  BlockStatistics sums(stats ? c.blocks.size() : 0, q.k);
  const int units = c.units(), tasks = std::min(parts, units);
  // A whole block's values are looked at while they are in cache.
  const bool observed = a.observed && c.groups == 1;
  if (observed) a.observed->resize(tasks);
  parallel(tasks, [&](int t) {
    std::vector<Segment> segment(segments(q, width));
    int packed = -1;
    float* x = nullptr;
    for (int u = share(units, t, tasks); u < share(units, t + 1, tasks); u++) {
      const int i = u / c.groups, group = u % c.groups;
      const Block& b = c.blocks[i];
      if (i != packed) {
        x = scratch(kInputSlot, packed_input(q, b).floats(b.images()));
        isa.pack_input(pack_task(q, a.input, row, b, packed_input(q, b), x));
        packed = i;
      }
      Forward f = forward_task(a, b, bias);
      f.rows = view(rows), f.cols = view(cols);
      f.weight = weight.get(), f.x = x, f.segment = segment.data();
      f.panel0 = share(panels, group, c.groups), f.panel1 = share(panels, group + 1, c.groups);
      if (stats) sums.collect(i, &f);
      isa.forward(f);
      if (observed) observe_block(f, &(*a.observed)[t]);
    }
  });
  if (a.observed && !observed)
    observe_values(a.out, static_cast<ptrdiff_t>(q.n) * q.oh() * q.ow() * q.k,
                   a.relu ? &a.cap : nullptr, a.observed);
  if (stats) sums.merge(q, c.blocks, a.mean, a.variance);
}

namespace {

// Along one axis, the runs of every residue class of the data gradient.
struct ResidueRuns {
  std::vector<std::vector<TapRun>> all;
  std::vector<TapRuns> runs;

  ResidueRuns(int inputs, int outputs, int stride, int pad, int kernel) {
    for (int i = 0; i < stride; i++) {
      const Residue r = residue(i, pad, kernel, stride);
      all.push_back(tap_runs(std::max(0, ceil_div(inputs - i, stride)), outputs, 1,
                             r.taps - 1 - r.base, r.taps));
    }
    for (const auto& of_class : all) runs.push_back(view(of_class));
  }
};

// State shared by the two ways of running a backward pass.
struct Backward {
  const BackwardArgs& a;
  const ConvShape& q = a.shape;
  const KernelTable& isa = kernels();
  const int parts = threads();
  const int width_k = isa.width(q.k), panels_k = ceil_div(q.k, width_k);
  const int width_c = isa.width(q.c), panels_c = ceil_div(q.c, width_c);
  const ptrdiff_t len = static_cast<ptrdiff_t>(q.r) * q.s * q.c;
  const bool halo = a.input_gradient != nullptr;
  const RowAffine row{q, a.input.lazy};
  const ResidueRuns rows{q.h, q.oh(), q.stride_h, q.pad_h, q.r};
  const ResidueRuns cols{q.w, q.ow(), q.stride_w, q.pad_w, q.s};
  const std::vector<TapOutputs> tap_rows = tap_outputs(q.oh(), q.h, q.stride_h, q.pad_h, q.r);
  const std::vector<TapOutputs> tap_cols = tap_outputs(q.ow(), q.w, q.stride_w, q.pad_w, q.s);
  std::shared_ptr<float> transposed;

  explicit Backward(const BackwardArgs& args) : a(args) {
    if (!halo) return;
    const ptrdiff_t taps = static_cast<ptrdiff_t>(q.r) * q.s;
    transposed = floats(taps * panels_k * width_k * panels_c * width_c);
    parallel(parts, [&](int t) {
      pack_weight_transposed(a.weight, width_k, width_c, share(panels_c, t, parts),
                             share(panels_c, t + 1, parts), transposed.get());
    });
  }

  PackGradient pack(const Block& b, const PackedGradient& layout, int image0, float* out,
                    double* sum) const {
    return gradient_task(a, b, width_k, layout, image0, out, sum);
  }

  WeightGradient weight(const Block& b, const float* x, const float* g,
                        const PackedGradient& layout, int tile0, int tile_step, float* out) const {
    return {q, b, width_k, tile0, tile_step, tap_rows.data(), tap_cols.data(), x, g, layout, out};
  }

  DataGradient data(const Block& b, const float* g, const PackedGradient& layout, int image0,
                    Segment* segment, int panel0, int panel1, double* sum, double* dot) const {
    return {q,
            b,
            width_k,
            width_c,
            panel0,
            panel1,
            g,
            layout,
            image0,
            rows.runs.data(),
            cols.runs.data(),
            segment,
            transposed.get(),
            a.input_gradient,
            a.input.x,
            a.input.lazy,
            a.mean,
            a.mean ? sum : nullptr,
            a.mean ? dot : nullptr};
  }

  void store_weight(const std::vector<const float*>& partial) const {
    if (!a.weight_gradient) return;
    parallel(parts, [&](int t) {
      unpack_weight(a.weight_gradient_layout, width_k, partial.data(),
                    static_cast<int>(partial.size()), share(panels_k, t, parts),
                    share(panels_k, t + 1, parts), a.weight_gradient);
    });
  }

  // Every block does its part of both gradients while its packed operands are in cache; each thread
  // sums its own weight gradient.
  void by_blocks(const Cut& c) const {
    const int blocks = static_cast<int>(c.blocks.size()), tasks = std::min(parts, blocks);
    const ptrdiff_t size = len * panels_k * width_k;
    auto partial = floats(size * tasks);
    BlockSums bias(blocks, q.k), sum(blocks, q.c), dot(blocks, q.c);
    parallel(tasks, [&](int t) {
      std::vector<Segment> segment(segments(q, width_k));
      float* const out = partial.get() + t * size;
      std::fill(out, out + size, 0.0f);
      for (int i = share(blocks, t, tasks); i < share(blocks, t + 1, tasks); i++) {
        const Block& b = c.blocks[i];
        const PackedGradient layout = packed_gradient(q, b, width_k, halo);
        float* g = scratch(kGradientSlot, layout.floats(panels_k));
        isa.pack_gradient(pack(b, layout, b.n0, g, bias.of(i)));
        if (a.weight_gradient) {
          float* x = scratch(kInputSlot, packed_input(q, b).floats(b.images()));
          isa.pack_input(pack_task(q, a.input, row, b, packed_input(q, b), x));
          isa.weight_gradient(weight(b, x, g, layout, 0, 1, out));
        }
        if (halo)
          isa.data_gradient(
              data(b, g, layout, b.n0, segment.data(), 0, panels_c, sum.of(i), dot.of(i)));
      }
    });
    std::vector<const float*> parts_of_sum;
    for (int t = 0; t < tasks; t++) parts_of_sum.push_back(partial.get() + t * size);
    store_weight(parts_of_sum);
    store_bias(a, bias);
    if (a.mean) sum.total(q.c, a.sum), dot.total(q.c, a.dot);
  }

  // The batch is packed once for all threads; then each owns some tiles of the weight gradient and
  // some blocks or panels of the data gradient.
  void by_tiles(const Cut& c) const {
    const ptrdiff_t size = len * panels_k * width_k;
    auto out = floats(size);
    std::fill(out.get(), out.get() + size, 0.0f);
    const ptrdiff_t image_x = packed_input(q, {0, 1, 0, q.oh()}).image;
    const PackedGradient one = packed_gradient(q, {0, 1, 0, q.oh()}, width_k, halo);
    const ptrdiff_t image_bytes = 4 * (image_x + one.image * panels_k);
    const int step = static_cast<int>(std::clamp<ptrdiff_t>(kSharedBytes / image_bytes, 1, q.n));
    auto x = floats(image_x * step), g = floats(one.image * panels_k * step);
    BlockSums bias(q.n, q.k), sum(c.blocks.size(), q.c), dot(c.blocks.size(), q.c);
    for (int n0 = 0; n0 < q.n; n0 += step) {
      const Block whole{n0, std::min(q.n, n0 + step), 0, q.oh()};
      const PackedGradient layout = packed_gradient(q, whole, width_k, halo);
      parallel(whole.images(), [&](int i) {
        const Block b{n0 + i, n0 + i + 1, 0, q.oh()};
        isa.pack_gradient(pack(b, layout, n0, g.get(), bias.of(n0 + i)));
        if (a.weight_gradient)
          isa.pack_input(pack_task(q, a.input, row, b, packed_input(q, b), x.get() + i * image_x));
      });
      parallel(parts, [&](int t) {
        if (a.weight_gradient)
          isa.weight_gradient(weight(whole, x.get(), g.get(), layout, t, parts, out.get()));
      });
      if (!halo) continue;
      // Blocks of this part of the batch: those whose first image lies in it, clipped to it.
      std::vector<int> mine;
      for (size_t i = 0; i < c.blocks.size(); i++)
        if (c.blocks[i].n0 < whole.n1 && c.blocks[i].n1 > whole.n0)
          mine.push_back(static_cast<int>(i));
      const int units = static_cast<int>(mine.size()) * c.groups, tasks = std::min(parts, units);
      parallel(tasks, [&](int t) {
        std::vector<Segment> segment(segments(q, width_k));
        for (int u = share(units, t, tasks); u < share(units, t + 1, tasks); u++) {
          const int i = mine[u / c.groups], group = u % c.groups;
          Block b = c.blocks[i];
          b.n0 = std::max(b.n0, whole.n0), b.n1 = std::min(b.n1, whole.n1);
          isa.data_gradient(data(b, g.get(), layout, n0, segment.data(),
                                 share(panels_c, group, c.groups),
                                 share(panels_c, group + 1, c.groups), sum.of(i), dot.of(i)));
        }
      });
    }
    store_weight({out.get()});
    store_bias(a, bias);
    if (a.mean) sum.total(q.c, a.sum), dot.total(q.c, a.dot);
  }
};

}  // namespace

void backward_layer(const BackwardArgs& a) {
  if (a.shape.depthwise) return depthwise_backward_layer(a);
  if (winograd_pays(a.shape, threads())) return winograd_backward_layer(a);
  const Backward pass(a);
  const ConvShape& q = a.shape;
  const Block image{0, 1, 0, q.oh()};
  const ptrdiff_t bytes =
      4 * std::max(packed_input(q, image).image,
                   packed_gradient(q, image, pass.width_k, true).image * pass.panels_k);
  const Cut c = cut(q, pass.panels_c, bytes);
  const ptrdiff_t weight_bytes = 4 * pass.len * pass.panels_k * pass.width_k;
  const bool small = weight_bytes <= kPrivateWeightBytes;
  if (small && c.groups == 1 && static_cast<int>(c.blocks.size()) >= pass.parts)
    pass.by_blocks(c);
  else
    pass.by_tiles(c);
}

void normalise(const Normalise& t) {
  const int parts = t.pixels * t.channels < 16384 ? 1 : threads();
  parallel(parts, [&](int i) {
    Normalise u = t;
    const ptrdiff_t first = t.pixels * i / parts, at = first * t.channels;
    u.pixels = t.pixels * (i + 1) / parts - first;
    u.raw += at, u.out += at;
    if (u.residual) u.residual += at;
    kernels().normalise(u);
  });
}

void reduce_gradient(const ReduceGradient& t, std::vector<double>* sum, std::vector<double>* dot) {
  const int parts = t.pixels * t.channels < 16384 ? 1 : threads();
  BlockSums sums(parts, t.channels), dots(parts, t.channels);
  parallel(parts, [&](int i) {
    ReduceGradient u = t;
    const ptrdiff_t first = t.pixels * i / parts, at = first * t.channels;
    u.pixels = t.pixels * (i + 1) / parts - first;
    u.g += at;
    if (u.raw) u.raw += at;
    if (u.positive) u.positive += at, u.masked += at;
    u.sum = sum ? sums.of(i) : nullptr, u.dot = sum ? dots.of(i) : nullptr;
    kernels().reduce_gradient(u);
  });
  if (sum) sums.total(t.channels, sum), dots.total(t.channels, dot);
}

}  // namespace gotorch::kernels
