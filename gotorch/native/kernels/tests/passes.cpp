// A layer's passes without libtorch, on threads of its own, for tools that libtorch is too much for: ThreadSanitizer and
// valgrind. Values and gradients of shapes with tails everywhere, and of every form, against sums in double.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "activation.h"
#include "layer.h"
#include "parallel.h"
#include "recycle.h"

namespace gotorch::kernels {

constexpr int kThreads = 3;
int threads() { return kThreads; }

// Task i on thread i modulo kThreads: as many really run at once as the tool can watch.
void parallel(int tasks, const std::function<void(int)>& task) {
  std::vector<std::thread> all;
  for (int t = 0; t < std::min(tasks, kThreads); t++)
    all.emplace_back([&, t] {
      for (int i = t; i < tasks; i += kThreads) task(i);
    });
  for (std::thread& t : all) t.join();
}

float* scratch(Slot slot, std::size_t floats) {
  thread_local std::vector<float> kept[kSlots];
  // Anew each time, so that a value from the call before is not mistaken for one of this.
  kept[slot] = std::vector<float>(floats + 64);
  return kept[slot].data();
}

// Nothing here is watched.
void observe_block(const Forward&, ValueCounts*) { std::abort(); }
void observe_values(float*, ptrdiff_t, const float*, std::vector<ValueCounts>*) { std::abort(); }

namespace {

using Values = std::vector<float>;
using Sums = std::vector<double>;

Values random_values(size_t count, std::mt19937& random) {
  Values v(count);
  std::normal_distribution<float> normal;
  for (float& x : v) x = normal(random);
  return v;
}

double relative_error(const Values& got, const Sums& want) {
  double off = 0, norm = 1e-30;
  for (size_t i = 0; i < want.size(); i++)
    off += (got[i] - want[i]) * (got[i] - want[i]), norm += want[i] * want[i];
  return std::sqrt(off / norm);
}

// visit(output, input, weight) for every product of the convolution: NHWC outputs and inputs, weights k, c, r, s.
template <class Visit>
void products(const ConvShape& q, Visit visit) {
  const int per_k = q.depthwise ? 1 : q.c;
  for (int n = 0; n < q.n; n++)
    for (int y = 0; y < q.oh(); y++)
      for (int x = 0; x < q.ow(); x++)
        for (int k = 0; k < q.k; k++)
          for (int c = 0; c < per_k; c++)
            for (int i = 0; i < q.r; i++)
              for (int j = 0; j < q.s; j++) {
                const int row = y * q.stride_h + i - q.pad_h, col = x * q.stride_w + j - q.pad_w;
                if (row < 0 || row >= q.h || col < 0 || col >= q.w) continue;
                const size_t in = ((static_cast<size_t>(n) * q.h + row) * q.w + col) * q.c;
                visit(((static_cast<size_t>(n) * q.oh() + y) * q.ow() + x) * q.k + k,
                      in + (q.depthwise ? k : c),
                      ((static_cast<size_t>(k) * per_k + c) * q.r + i) * q.s + j);
              }
}

// Returns how many of the layer's results are wrong.
int check(const ConvShape& q, bool inference) {
  std::mt19937 random(static_cast<unsigned>(q.n * 7 + q.c * 31 + q.k * 101 + q.r));
  const size_t in = static_cast<size_t>(q.n) * q.h * q.w * q.c;
  const size_t out = static_cast<size_t>(q.n) * q.oh() * q.ow() * q.k;
  const ptrdiff_t taps = static_cast<ptrdiff_t>(q.r) * q.s, per_k = q.depthwise ? taps : taps * q.c;
  const Values x = random_values(in, random), w = random_values(q.k * per_k, random);
  const Values g = random_values(out, random), bias = random_values(q.k, random);
  Sums y(out), dx(in), dw(w.size());
  for (size_t i = 0; i < out; i++) y[i] = bias[i % q.k];
  products(q, [&](size_t o, size_t i, size_t t) {
    y[o] += static_cast<double>(x[i]) * w[t];
    dx[i] += static_cast<double>(g[o]) * w[t];
    dw[t] += static_cast<double>(g[o]) * x[i];
  });

  const Input input{x.data(), static_cast<ptrdiff_t>(q.h) * q.w * q.c,
                    1,        static_cast<ptrdiff_t>(q.w) * q.c,
                    q.c,      nullptr,
                    {}};
  const PackWeight weight{q, w.data(), per_k, taps, q.s, 1};
  Values result(out), input_gradient(in), weight_gradient(w.size()), bias_gradient(q.k);
  ForwardArgs f{};
  f.shape = q, f.input = input, f.weight = weight, f.bias = bias.data(), f.out = result.data();
  f.inference = inference;
  forward_layer(f);
  BackwardArgs b{};
  b.shape = q, b.input = input, b.weight = weight, b.g = g.data();
  b.weight_gradient = weight_gradient.data(), b.weight_gradient_layout = weight;
  b.bias_gradient = bias_gradient.data(), b.input_gradient = input_gradient.data();
  backward_layer(b);

  int wrong = 0;
  const auto expect = [&](const char* what, const Values& got, const Sums& want) {
    const double off = relative_error(got, want);
    if (off < 1e-5) return;
    wrong++;
    std::printf("FAIL %s of %dx%dx%dx%d to %d, %dx%d at %d: off by %.1e\n", what, q.n, q.c, q.h,
                q.w, q.k, q.r, q.s, q.stride_h, off);
  };
  expect("values", result, y);
  expect("input gradient", input_gradient, dx);
  expect("weight gradient", weight_gradient, dw);
  return wrong;
}

ConvShape shape(int n, int c, int h, int w, int k, int r, int stride, int pad,
                bool depthwise = false) {
  return {n, c, h, w, k, r, r, stride, stride, pad, pad, pad, pad, depthwise};
}

}  // namespace
}  // namespace gotorch::kernels

int main() {
  using namespace gotorch::kernels;
  const std::vector<ConvShape> shapes = {
      shape(5, 3, 23, 21, 8, 5, 2, 2),          // a first layer
      shape(2, 5, 9, 11, 7, 3, 1, 1),           // nothing whole
      shape(3, 33, 7, 5, 50, 1, 2, 0),          // 1x1, classes of pixels without taps
      shape(1, 40, 3, 3, 70, 3, 2, 1),          // few pixels: panels are shared out
      shape(2, 96, 5, 5, 160, 3, 2, 1),         // weights that threads share by tiles
      shape(17, 40, 7, 7, 48, 3, 2, 1),         // padding under every border pixel
      shape(3, 5, 4, 3, 6, 3, 2, 5),            // outputs that read nothing but padding
      shape(7, 16, 19, 22, 24, 3, 1, 1),        // Winograd, by blocks
      shape(9, 17, 21, 18, 33, 5, 2, 2),        // through the phases of a stride
      shape(6, 64, 14, 15, 70, 5, 2, 2),        // by points
      shape(3, 21, 13, 12, 21, 5, 2, 2, true),  // depthwise
      shape(2, 16, 8, 8, 16, 3, 1, 1, true),
  };
  int wrong = 0, form = 0;
  for (const ConvShape& q : shapes)
    for (const bool inference : {false, true}) {
      ForwardArgs f{};
      f.shape = q, f.inference = inference;
      form |= 1 << static_cast<int>(form_of(f));
      wrong += check(q, inference);
    }
  release_recycled();
  if (form != 7) std::printf("FAIL: the forms seen are %d, not all three\n", form), wrong++;
  std::printf("%s: %zu shapes, %d wrong\n", kernels().name, shapes.size(), wrong);
  return wrong != 0;
}
