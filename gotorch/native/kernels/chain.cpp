// A chain of blocks through own kernels: forward, and backward as a torch::autograd::Function.
//
// Between two stages only the raw result of the convolution (after its bias and a ReLU that comes
// first) is kept; the next stage reads it through its BatchNorm (Lazy) while packing its input.
#include <ATen/TensorUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "activation.h"
#include "layer.h"
#include "packed_weights.h"
#include "recycle.h"
#include "reference.h"
#include "sync.h"

namespace gotorch::kernels {

namespace {

// What one stage's forward leaves for the next stage and for backward.
struct StageState {
  ConvShape shape;
  Order order = Order::kConv;
  float cap = 0;  // of its ReLU
  bool batch_statistics = false;
  double rows = 0;               // that the batch's statistics were taken over, on all processes
  bool sync = false;             // whether other processes had a part in them
  Channels scale, offset, mean;  // of the BatchNorm: value = raw*scale + offset; empty: none
  std::vector<double> exact_mean, inv_std;
  bool norm() const { return has_norm(order); }
};

struct ChainState : torch::CustomClassHolder {
  std::vector<StageState> stages;
  std::vector<int> places;  // see Places
  bool masked = false;      // the chain ends in a ReLU after its BatchNorm
};

ConvShape shape_of(const at::Tensor& x, const Stage& s) {
  ConvShape q;
  q.n = x.size(0), q.c = x.size(1), q.h = x.size(2), q.w = x.size(3);
  q.k = s.weight.size(0), q.r = s.weight.size(2), q.s = s.weight.size(3);
  q.stride_h = s.stride[0], q.stride_w = s.stride[1];
  q.pad_h = s.padding[0], q.pad_w = s.padding[1];
  q.end_h = s.padding_end[0], q.end_w = s.padding_end[1];
  q.depthwise = depthwise(s);
  return q;
}

at::Tensor empty_nhwc(int n, int c, int h, int w) {
  const int64_t col = c, row = w * col, image = h * row;
  const std::shared_ptr<float> memory = recycled(static_cast<size_t>(n * image));
  return at::from_blob(
      memory.get(), {n, c, h, w}, {image, 1, row, col}, [memory](void*) {}, at::kFloat);
}

const float* data(const at::Tensor& t) { return t.defined() ? t.const_data_ptr<float>() : nullptr; }

PackWeight weight_of(const ConvShape& q, const at::Tensor& w) {
  return {q, w.const_data_ptr<float>(), w.stride(0), w.stride(1), w.stride(2), w.stride(3)};
}

Input input_of(const at::Tensor& x, const StageState* producer) {
  Input in{nullptr, x.stride(0), x.stride(1), x.stride(2), x.stride(3), nullptr, {}};
  if (x.scalar_type() == at::kByte)
    in.bytes = x.const_data_ptr<uint8_t>();
  else
    in.x = x.const_data_ptr<float>();
  if (!producer) return in;
  in.lazy.relu = relu_last(producer->order), in.lazy.cap = producer->cap;
  if (producer->norm())
    in.lazy.scale = producer->scale.data(), in.lazy.offset = producer->offset.data();
  return in;
}

// The raw memory format that rows of the tensor are contiguous in, as input_of's fast path wants: a
// tensor with one channel or one column may report other strides for the same memory.
at::Tensor dense_nhwc(const at::Tensor& t) {
  const at::Tensor c = t.contiguous(at::MemoryFormat::ChannelsLast);
  const auto n = c.size(0), k = c.size(1), h = c.size(2), w = c.size(3);
  return c.as_strided({n, k, h, w}, {h * w * k, 1, w * k, k});
}

std::vector<float> floats_of(const at::Tensor& t, int count, float otherwise) {
  if (!t.defined()) return std::vector<float>(count, otherwise);
  const at::Tensor c = t.contiguous();
  return {c.const_data_ptr<float>(), c.const_data_ptr<float>() + count};
}

// BatchNorm as an affine map, from the batch's statistics (which also move the running ones) or from
// the running ones.
void set_affine(const Stage& s, const std::vector<double>& mean,
                const std::vector<double>& variance, StageState* state) {
  const int k = state->shape.k;
  const auto gamma = floats_of(s.gamma, k, 1), beta = floats_of(s.beta, k, 0);
  state->scale = channels(k), state->offset = channels(k), state->mean = channels(k);
  state->inv_std.resize(k);
  state->exact_mean = mean;
  for (int i = 0; i < k; i++) {
    const double inv = 1 / std::sqrt(variance[i] + s.eps);
    state->inv_std[i] = inv;
    state->mean[i] = static_cast<float>(mean[i]);
    state->scale[i] = static_cast<float>(gamma[i] * inv);
    state->offset[i] = static_cast<float>(beta[i] - mean[i] * gamma[i] * inv);
  }
}

void move_running(const at::Tensor& running, double momentum, const std::vector<double>& batch,
                  double factor) {
  if (!running.defined()) return;
  std::vector<float> values(batch.size());
  for (size_t i = 0; i < batch.size(); i++) values[i] = static_cast<float>(batch[i] * factor);
  const auto count = static_cast<int64_t>(values.size());
  running.mul_(1 - momentum).add_(at::from_blob(values.data(), {count}), momentum);
}

struct StageResult {
  StageState state;
  at::Tensor raw;  // channels-last
};

// How a chain runs: for a backward pass, for its value now in a pass that trains others (a frozen stage), or with no
// gradient wanted of anything.
enum class Purpose { kBackward, kValue, kInference };

// last: nothing else does; then, unless kept, if the statistics are known
// beforehand the BatchNorm, the residual and the last ReLU are done in the convolution's epilogue.
// *finished says so.
StageResult run_stage(const at::Tensor& x, const StageState* producer, const Stage& s,
                      Purpose purpose, bool last, const at::Tensor& residual, bool* finished) {
  const bool keep = purpose == Purpose::kBackward;
  StageResult result;
  StageState& state = result.state;
  state.shape = shape_of(x, s), state.order = s.order;
  state.cap = static_cast<float>(s.relu_cap);
  const ConvShape& q = state.shape;
  state.batch_statistics = state.norm() && (s.training || !s.running_mean.defined());
  result.raw = empty_nhwc(q.n, q.k, q.oh(), q.ow());
  if (state.norm() && !state.batch_statistics) {
    const auto mean = floats_of(s.running_mean, q.k, 0),
               variance = floats_of(s.running_var, q.k, 1);
    set_affine(s, {mean.begin(), mean.end()}, {variance.begin(), variance.end()}, &state);
  }
  const at::Tensor bias = s.bias.defined() ? s.bias.contiguous() : s.bias;
  std::vector<double> mean, variance;
  ForwardArgs f{};
  f.shape = q, f.input = input_of(x, producer), f.weight = weight_of(q, s.weight);
  std::vector<ValueCounts> observed;
  if (s.observe_conv.defined()) f.observed = &observed;
  f.bias = data(bias), f.relu = relu_first(s.order), f.cap = state.cap;
  f.out = result.raw.mutable_data_ptr<float>();
  if (state.batch_statistics) f.mean = &mean, f.variance = &variance;
  f.inference = purpose == Purpose::kInference;
  if (keep && s.weight.requires_grad()) {
    forget_packed_weight(s.weight);
  } else {
    const Form form = form_of(f);
    f.packed = packed_weight(s.weight, static_cast<int>(form),
                             [&] { return pack_forward_weight(f.weight, form); });
  }
  *finished = last && !keep && !state.batch_statistics && !s.observed();
  if (*finished) {
    if (state.norm()) f.scale = state.scale.data(), f.offset = state.offset.data();
    f.residual = data(residual), f.relu_last = relu_last(s.order);
  }
  forward_layer(f);
  if (state.batch_statistics) {
    double count = static_cast<double>(q.n) * q.oh() * q.ow();
    state.sync = s.training && synchronised();
    if (state.sync) count = merge_statistics(count, &mean, &variance);
    state.rows = count;
    set_affine(s, mean, variance, &state);
    if (s.training) {
      move_running(s.running_mean, s.momentum, mean, 1);
      move_running(s.running_var, s.momentum, variance, count / (count - 1));
    }
  }
  if (s.observe_conv.defined()) write_statistics(observed, s.observe_conv);
  if (s.observe_norm.defined() && state.norm()) {
    observe_norm(f.out, static_cast<ptrdiff_t>(q.n) * q.oh() * q.ow(), q.k, state.scale.data(),
                 state.offset.data(), &observed);
    write_statistics(observed, s.observe_norm);
  }
  return result;
}

// The chain's value from the last stage's raw tensor.
at::Tensor finish_chain(const StageState& state, const at::Tensor& raw,
                        const at::Tensor& residual) {
  if (!state.norm() && !residual.defined()) return raw;
  const ConvShape& q = state.shape;
  at::Tensor y = empty_nhwc(q.n, q.k, q.oh(), q.ow());
  Normalise t{};
  t.pixels = static_cast<ptrdiff_t>(q.n) * q.oh() * q.ow(), t.channels = q.k;
  t.raw = data(raw), t.residual = data(residual), t.out = y.mutable_data_ptr<float>();
  if (state.norm()) t.lazy.scale = state.scale.data(), t.lazy.offset = state.offset.data();
  t.relu_last = relu_last(state.order), t.cap = state.cap;
  normalise(t);
  return y;
}

struct ChainResult {
  std::vector<StageState> stages;
  std::vector<at::Tensor> raw;  // empty unless kept
  at::Tensor y;
};

ChainResult run_chain(const at::Tensor& x, const std::vector<Stage>& stages,
                      const at::Tensor& residual, Purpose purpose) {
  ChainResult result;
  at::Tensor in = x;
  for (size_t i = 0; i < stages.size(); i++) {
    const bool last = i + 1 == stages.size();
    bool finished = false;
    StageResult r = run_stage(in, i ? &result.stages.back() : nullptr, stages[i], purpose, last,
                              last ? residual : at::Tensor(), &finished);
    result.stages.push_back(std::move(r.state));
    in = r.raw;
    if (purpose == Purpose::kBackward) result.raw.push_back(r.raw);
    if (last) result.y = finished ? r.raw : finish_chain(result.stages.back(), r.raw, residual);
  }
  return result;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The tensors of a chain in order: x, residual, then weight, bias, gamma, beta of each stage. Some are
// undefined, which an autograd node does not take: it gets the others, and a place for each of all.
constexpr size_t kPerStage = 4;
constexpr size_t kFirst = 2;
using Places = std::vector<int>;  // among the node's inputs, -1: undefined

struct ChainFunction : torch::autograd::Function<ChainFunction> {
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs, const Places& places,
                            const std::vector<Stage>& stages) {
    const auto input = [&](size_t i) { return places[i] < 0 ? at::Tensor() : inputs[places[i]]; };
    const at::Tensor x = input(0), residual = input(1);
    ChainResult r = run_chain(x, stages, residual, Purpose::kBackward);
    auto state = c10::make_intrusive<ChainState>();
    state->stages = std::move(r.stages);
    state->places = places;
    state->masked = relu_last(stages.back().order);
    variable_list saved = {x};
    for (size_t i = 0; i < stages.size(); i++) saved.push_back(input(kFirst + kPerStage * i));
    for (size_t i = 0; i < stages.size(); i++) saved.push_back(input(kFirst + kPerStage * i + 2));
    // The last raw tensor may be the output itself: an alias keeps the node out of its own output.
    for (const at::Tensor& raw : r.raw) saved.push_back(raw.detach());
    saved.push_back(r.y);
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["state"] = c10::IValue::make_capsule(std::move(state));
    return r.y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads);
};

// The backward pass of BatchNorm as d = (g - e)*a + (raw - m)*b + rest, with the gradients of gamma and beta.
// rest is what rounding takes from e and m: the same error in every pixel of a channel would not cancel as the
// gradient itself does.
struct NormBackward {
  Channels a, b, e, m, rest;
  at::Tensor gamma, beta;
};

NormBackward norm_backward(const StageState& s, const at::Tensor& gamma,
                           const std::vector<double>& sum, const std::vector<double>& dot) {
  const ConvShape& q = s.shape;
  const auto g = floats_of(gamma, q.k, 1);
  // The gradients of gamma and beta are this process's; the input's depend on every process's rows.
  std::vector<double> sums(sum.begin(), sum.begin() + q.k);
  sums.insert(sums.end(), dot.begin(), dot.begin() + q.k);
  if (s.sync) add_up(&sums);
  NormBackward r{channels(q.k), channels(q.k),    channels(q.k),   channels(q.k),
                 channels(q.k), at::empty({q.k}), at::empty({q.k})};
  float *dgamma = r.gamma.mutable_data_ptr<float>(), *dbeta = r.beta.mutable_data_ptr<float>();
  for (int i = 0; i < q.k; i++) {
    // dot was taken about the mean in single precision.
    const double off = s.exact_mean[i] - s.mean[i];
    const double inv = s.inv_std[i], slope = g[i] * inv;
    const double dg = inv * (sums[q.k + i] - off * sums[i]);
    dgamma[i] = static_cast<float>(inv * (dot[i] - off * sum[i]));
    dbeta[i] = static_cast<float>(sum[i]);
    r.a[i] = static_cast<float>(slope);
    if (!s.batch_statistics) continue;
    // Differences from the means first: a gradient that is all but constant keeps its digits.
    r.b[i] = static_cast<float>(-slope * inv * dg / s.rows);
    const double e = sums[i] / s.rows;
    r.e[i] = static_cast<float>(e);
    r.m[i] = s.mean[i];
    r.rest[i] = static_cast<float>((r.e[i] - e) * r.a[i] - off * r.b[i]);
  }
  return r;
}

variable_list ChainFunction::backward(AutogradContext* ctx, variable_list grads) {
  TORCH_CHECK(!at::GradMode::is_enabled(),
              "conv_chain: own kernels have no double backward; set the kernels to libtorch for "
              "create_graph");
  const auto state =
      c10::static_intrusive_pointer_cast<ChainState>(ctx->saved_data["state"].toCapsule());
  const size_t count = state->stages.size();
  const Places& places = state->places;
  const auto wanted = [&](size_t i) {
    return places[i] >= 0 && ctx->needs_input_grad(static_cast<size_t>(places[i]));
  };
  // One for each input of the node, and two that stand for places and stages.
  variable_list result(std::count_if(places.begin(), places.end(), [](int i) { return i >= 0; }) +
                       2);
  const auto give = [&](size_t i, const at::Tensor& t) {
    if (wanted(i)) result[places[i]] = t;
  };
  if (!grads[0].defined()) return result;
  const variable_list saved = ctx->get_saved_variables();
  const at::Tensor &x = saved[0], &y = saved.back();
  const at::Tensor *weights = &saved[1], *gammas = &saved[1 + count], *raws = &saved[1 + 2 * count];
  at::Tensor g = dense_nhwc(grads[0]);

  const StageState& last = state->stages.back();
  std::vector<double> sum, dot;
  if (last.norm() || state->masked) {
    const ConvShape& q = last.shape;
    ReduceGradient t{};
    t.pixels = static_cast<ptrdiff_t>(q.n) * q.oh() * q.ow(), t.channels = q.k;
    t.g = data(g), t.raw = data(raws[count - 1]), t.mean = last.mean.data();
    at::Tensor masked;
    if (state->masked) {
      masked = empty_nhwc(q.n, q.k, q.oh(), q.ow());
      t.positive = data(y), t.cap = last.cap, t.masked = masked.mutable_data_ptr<float>();
    }
    reduce_gradient(t, last.norm() ? &sum : nullptr, last.norm() ? &dot : nullptr);
    if (masked.defined()) g = masked;
  }
  give(1, g);

  for (size_t i = count; i-- > 0;) {
    const StageState& s = state->stages[i];
    const StageState* before = i ? &state->stages[i - 1] : nullptr;
    const ConvShape& q = s.shape;
    const size_t at = kFirst + kPerStage * i;
    BackwardArgs b{};
    b.shape = q, b.input = input_of(before ? raws[i - 1] : x, before);
    b.weight = weight_of(q, weights[i]);
    b.g = data(g), b.raw = data(raws[i]), b.mask = relu_first(s.order), b.cap = s.cap;
    NormBackward norm;
    if (s.norm()) {
      norm = norm_backward(s, gammas[i], sum, dot);
      b.a = norm.a.data(), b.b = norm.b.data(), b.e = norm.e.data(), b.m = norm.m.data();
      b.rest = norm.rest.data();
      give(at + 2, norm.gamma), give(at + 3, norm.beta);
    }
    if (wanted(at)) {
      const at::Tensor w = at::empty_like(weights[i]);
      b.weight_gradient = w.mutable_data_ptr<float>(), b.weight_gradient_layout = weight_of(q, w);
      give(at, w);
    }
    if (wanted(at + 1)) {
      const at::Tensor bias = at::zeros({q.k});
      // The batch's mean takes a bias away again, unless a ReLU stands between: its gradient is zero.
      if (!s.batch_statistics || relu_first(s.order))
        b.bias_gradient = bias.mutable_data_ptr<float>();
      give(at + 1, bias);
    }
    // Earlier stages want a gradient only if one of their tensors does.
    bool earlier = wanted(0);
    for (size_t j = kFirst; j < at; j++) earlier = earlier || wanted(j);
    at::Tensor input_gradient;
    if (earlier) {
      input_gradient = empty_nhwc(q.n, q.c, q.h, q.w);
      b.input_gradient = input_gradient.mutable_data_ptr<float>();
      if (before && before->norm()) b.mean = before->mean.data(), b.sum = &sum, b.dot = &dot;
    }
    backward_layer(b);
    if (!earlier) break;
    g = input_gradient;
    if (i == 0) give(0, g);
  }
  return result;
}

}  // namespace

at::Tensor own_chain(const at::Tensor& x, const std::vector<Stage>& stages,
                     const at::Tensor& residual) {
  const bool bytes = x.scalar_type() == at::kByte;
  variable_list inputs = {bytes ? dense_nhwc(x) : x,
                          residual.defined() ? dense_nhwc(residual) : residual};
  bool wanted = false;
  for (const Stage& s : stages) {
    const bool norm = has_norm(s.order);
    inputs.insert(inputs.end(),
                  {s.weight, s.bias, norm ? s.gamma : at::Tensor(), norm ? s.beta : at::Tensor()});
  }
  Places places;
  variable_list defined;
  for (const at::Tensor& t : inputs) {
    places.push_back(t.defined() ? static_cast<int>(defined.size()) : -1);
    if (!t.defined()) continue;
    defined.push_back(t);
    wanted = wanted || t.requires_grad();
  }
  if (wanted && at::GradMode::is_enabled())
    return ChainFunction::apply(at::TensorList(defined), places, stages);
  const Purpose purpose = at::GradMode::is_enabled() ? Purpose::kValue : Purpose::kInference;
  const at::NoGradGuard no_grad;
  return run_chain(inputs[0], stages, inputs[1], purpose).y;
}

}  // namespace gotorch::kernels
