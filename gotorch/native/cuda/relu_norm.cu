// ReLU and BatchNorm in one operation on the GPU; relu_norm.h says what is computed.
//
// Forward: sums (one reading), settle (one block), apply (one reading, one writing). Backward: the same
// three over the gradient. A thread owns V neighbouring channels, 16 bytes where the channels allow it,
// and walks down the rows; the partial sums of a block of rows go to memory, and settle adds them up in
// double, in order: no atomics, so the same bits each time.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "relu_norm_launch.h"
#include "relu_norm_value.h"

namespace gotorch::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kMostColumns = 32;  // threads side by side on channels
constexpr int kMostParts = 512;   // blocks of rows, and partial sums of a channel
constexpr int kRowsAThread =
    16;  // fewer blocks than this many rows a thread would leave sums short
constexpr int kSettleThreads = 128;

template <typename T, int V>
struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

__device__ inline float wide(float x) { return x; }
__device__ inline float wide(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float wide(__half x) { return __half2float(x); }
__device__ inline void narrow(float x, float* to) { *to = x; }
__device__ inline void narrow(float x, __nv_bfloat16* to) { *to = __float2bfloat16(x); }
__device__ inline void narrow(float x, __half* to) { *to = __float2half(x); }

template <typename T, int V>
__device__ inline Pack<T, V> load(const void* p, int64_t at) {
  return *reinterpret_cast<const Pack<T, V>*>(static_cast<const T*>(p) + at);
}

template <typename T, int V>
__device__ inline void store(void* p, int64_t at, const Pack<T, V>& values) {
  *reinterpret_cast<Pack<T, V>*>(static_cast<T*>(p) + at) = values;
}

// How a grid covers the data: columns threads side by side, each on V channels, the others below.
struct Cover {
  int columns;
  dim3 grid;
};

Cover cover(const Shape& s, int v) {
  Cover c;
  const int wanted = (s.channels + v - 1) / v;
  c.columns = 1;
  while (c.columns < wanted && c.columns < kMostColumns) c.columns *= 2;
  const int64_t lines = kThreads / c.columns;
  const int64_t parts = (s.rows + lines * kRowsAThread - 1) / (lines * kRowsAThread);
  c.grid = dim3((wanted + c.columns - 1) / c.columns,
                static_cast<unsigned>(std::clamp<int64_t>(parts, 1, kMostParts)));
  return c;
}

// The rows of a thread: first, then every step-th.
struct Walk {
  int64_t first, step;
  int channel;
};

__device__ inline Walk walk(int v) {
  return {static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y,
          static_cast<int64_t>(gridDim.y) * blockDim.y,
          static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * v};
}

// Adds the block's pairs of sums up and leaves them in scratch, [part][2][channels].
template <int V>
__device__ void leave_sums(const float (&a)[V], const float (&b)[V], int channel, int channels,
                           float* scratch) {
  __shared__ float shared[2 * V * kThreads];
  float* own = shared + 2 * V * (threadIdx.y * blockDim.x + threadIdx.x);
  for (int i = 0; i < V; i++) own[i] = a[i], own[V + i] = b[i];
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half)
      for (int i = 0; i < 2 * V; i++) own[i] += own[2 * V * half * blockDim.x + i];
  }
  if (threadIdx.y > 0) return;
  float* to = scratch + 2 * static_cast<int64_t>(blockIdx.y) * channels;
  for (int i = 0; i < V; i++)
    if (channel + i < channels) to[channel + i] = own[i], to[channels + channel + i] = own[V + i];
}

// Sums of v - shift and of its square, the shift being the channel's value in the first row: squares
// about a value of the data keep their digits.
template <typename T, int V>
__global__ void forward_sums(ForwardPlain f) {
  const Walk w = walk(V);
  float sum[V] = {}, square[V] = {};
  if (w.channel < f.shape.channels) {
    const Pack<T, V> first = load<T, V>(f.x, w.channel);
    float shift[V];
    for (int i = 0; i < V; i++) shift[i] = relu(wide(first.v[i]), f.relu_first);
    for (int64_t row = w.first; row < f.shape.rows; row += w.step) {
      const Pack<T, V> x = load<T, V>(f.x, row * f.shape.channels + w.channel);
      for (int i = 0; i < V; i++) {
        const float d = relu(wide(x.v[i]), f.relu_first) - shift[i];
        sum[i] += d;
        square[i] += d * d;
      }
    }
  }
  leave_sums<V>(sum, square, w.channel, f.shape.channels, f.scratch);
}

__device__ inline void add_parts(const float* scratch, int parts, int channels, int c, double* a,
                                 double* b) {
  for (int p = 0; p < parts; p++) {
    *a += scratch[2 * static_cast<int64_t>(p) * channels + c];
    *b += scratch[(2 * static_cast<int64_t>(p) + 1) * channels + c];
  }
}

template <typename T>
__global__ void forward_settle(ForwardPlain f, int parts) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= f.shape.channels) return;
  if (!f.batch) {
    f.mean[c] = f.running_mean[c];
    f.inv_std[c] = rsqrtf(f.running_var[c] + f.eps);
    return;
  }
  const double shift = relu(wide(static_cast<const T*>(f.x)[c]), f.relu_first);
  double sum = 0, square = 0;
  add_parts(f.scratch, parts, f.shape.channels, c, &sum, &square);
  const double n = static_cast<double>(f.shape.rows), off = sum / n;
  const double variance = fmax(square / n - off * off, 0.0);
  f.mean[c] = static_cast<float>(shift + off);
  f.inv_std[c] = static_cast<float>(1 / sqrt(variance + f.eps));
  if (f.running_mean == nullptr) return;
  const float m = f.momentum;
  f.running_mean[c] += m * (f.mean[c] - f.running_mean[c]);
  f.running_var[c] += m * (static_cast<float>(variance * n / (n - 1)) - f.running_var[c]);
}

template <typename T, int V>
__global__ void forward_apply(ForwardPlain f) {
  const Walk w = walk(V);
  if (w.channel >= f.shape.channels) return;
  float scale[V], offset[V];
  for (int i = 0; i < V; i++) {
    const int c = w.channel + i;
    scale[i] = f.inv_std[c] * (f.gamma != nullptr ? f.gamma[c] : 1);
    offset[i] = (f.beta != nullptr ? f.beta[c] : 0) - f.mean[c] * scale[i];
  }
  for (int64_t row = w.first; row < f.shape.rows; row += w.step) {
    const int64_t at = row * f.shape.channels + w.channel;
    const Pack<T, V> x = load<T, V>(f.x, at);
    Pack<T, V> r, y;
    if (f.residual != nullptr) r = load<T, V>(f.residual, at);
    for (int i = 0; i < V; i++)
      narrow(normalised(wide(x.v[i]), scale[i], offset[i], f.residual != nullptr ? wide(r.v[i]) : 0,
                        f.relu_first, f.relu_last),
             &y.v[i]);
    store<T, V>(f.y, at, y);
  }
}

template <typename T, int V>
__global__ void backward_sums(BackwardPlain b) {
  const Walk w = walk(V);
  float sum[V] = {}, dot[V] = {};
  if (w.channel < b.shape.channels) {
    float mean[V];
    for (int i = 0; i < V; i++) mean[i] = b.mean[w.channel + i];
    for (int64_t row = w.first; row < b.shape.rows; row += w.step) {
      const int64_t at = row * b.shape.channels + w.channel;
      const Pack<T, V> g = load<T, V>(b.g, at), x = load<T, V>(b.x, at);
      Pack<T, V> y;
      if (b.relu_last) y = load<T, V>(b.y, at);
      for (int i = 0; i < V; i++) {
        const float d = masked(wide(g.v[i]), b.relu_last ? wide(y.v[i]) : 1, b.relu_last);
        sum[i] += d;
        dot[i] += d * (relu(wide(x.v[i]), b.relu_first) - mean[i]);
      }
    }
  }
  leave_sums<V>(sum, dot, w.channel, b.shape.channels, b.scratch);
}

// Leaves the coefficients behind the partial sums, [4][channels].
__global__ void backward_settle(BackwardPlain b, int parts) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const int channels = b.shape.channels;
  if (c >= channels) return;
  double sum = 0, dot = 0;
  add_parts(b.scratch, parts, channels, c, &sum, &dot);
  if (b.dgamma != nullptr) b.dgamma[c] = static_cast<float>(dot * b.inv_std[c]);
  if (b.dbeta != nullptr) b.dbeta[c] = static_cast<float>(sum);
  const Coefficients k = coefficients(sum, dot, static_cast<double>(b.shape.rows), b.mean[c],
                                      b.inv_std[c], b.gamma != nullptr ? b.gamma[c] : 1, b.batch);
  float* to = b.scratch + 2 * static_cast<int64_t>(kMostParts) * channels;
  to[c] = k.mean, to[channels + c] = k.slope, to[2 * channels + c] = k.mean_g,
  to[3 * channels + c] = k.pull;
}

template <typename T, int V>
__global__ void backward_apply(BackwardPlain b) {
  const Walk w = walk(V);
  const int channels = b.shape.channels;
  if (w.channel >= channels) return;
  const float* from = b.scratch + 2 * static_cast<int64_t>(kMostParts) * channels + w.channel;
  Coefficients k[V];
  for (int i = 0; i < V; i++)
    k[i] = {from[i], from[channels + i], from[2 * channels + i], from[3 * channels + i]};
  for (int64_t row = w.first; row < b.shape.rows; row += w.step) {
    const int64_t at = row * channels + w.channel;
    const Pack<T, V> g = load<T, V>(b.g, at), x = load<T, V>(b.x, at);
    Pack<T, V> y, dx, dr;
    if (b.relu_last) y = load<T, V>(b.y, at);
    for (int i = 0; i < V; i++) {
      const float d = masked(wide(g.v[i]), b.relu_last ? wide(y.v[i]) : 1, b.relu_last);
      narrow(d, &dr.v[i]);
      narrow(input_gradient(d, wide(x.v[i]), k[i], b.relu_first), &dx.v[i]);
    }
    store<T, V>(b.dx, at, dx);
    if (b.dresidual != nullptr) store<T, V>(b.dresidual, at, dr);
  }
}

template <typename T, int V>
cudaError_t run(const ForwardPlain& f, cudaStream_t stream) {
  const Cover c = cover(f.shape, V);
  const dim3 block(c.columns, kThreads / c.columns);
  if (f.batch) forward_sums<T, V><<<c.grid, block, 0, stream>>>(f);
  const int blocks = (f.shape.channels + kSettleThreads - 1) / kSettleThreads;
  forward_settle<T><<<blocks, kSettleThreads, 0, stream>>>(f, static_cast<int>(c.grid.y));
  forward_apply<T, V><<<c.grid, block, 0, stream>>>(f);
  return cudaGetLastError();
}

template <typename T, int V>
cudaError_t run(const BackwardPlain& b, cudaStream_t stream) {
  const Cover c = cover(b.shape, V);
  const dim3 block(c.columns, kThreads / c.columns);
  backward_sums<T, V><<<c.grid, block, 0, stream>>>(b);
  const int blocks = (b.shape.channels + kSettleThreads - 1) / kSettleThreads;
  backward_settle<<<blocks, kSettleThreads, 0, stream>>>(b, static_cast<int>(c.grid.y));
  backward_apply<T, V><<<c.grid, block, 0, stream>>>(b);
  return cudaGetLastError();
}

// Whether every pointer can be read 16 bytes at a time.
template <typename... P>
bool aligned(P... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

template <typename T, typename Plain>
cudaError_t choose(const Plain& p, bool whole, cudaStream_t stream) {
  constexpr int kWide = 16 / sizeof(T);
  return whole && p.shape.channels % kWide == 0 ? run<T, kWide>(p, stream) : run<T, 1>(p, stream);
}

template <typename Plain>
cudaError_t dispatch(const Plain& p, bool whole, cudaStream_t stream) {
  switch (p.shape.dtype) {
    case Real::kFloat:
      return choose<float>(p, whole, stream);
    case Real::kBFloat16:
      return choose<__nv_bfloat16>(p, whole, stream);
    case Real::kHalf:
      return choose<__half>(p, whole, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace

int64_t scratch_floats(const Shape& s) {
  return (2 * static_cast<int64_t>(kMostParts) + 4) * s.channels;
}

cudaError_t launch(const ForwardPlain& f, cudaStream_t stream) {
  return dispatch(f, aligned(f.x, f.residual, f.y), stream);
}

cudaError_t launch(const BackwardPlain& b, cudaStream_t stream) {
  return dispatch(b, aligned(b.g, b.x, b.y, b.dx, b.dresidual), stream);
}

}  // namespace gotorch::cuda
