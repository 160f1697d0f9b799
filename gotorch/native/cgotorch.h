// The C interface of libcgotorch.so, the only thing Go knows of libtorch.
//
// A tensor crosses the interface as the address of its at::TensorImpl. Functions borrow the tensors
// they are given and return tensors with one reference that the caller owns and gives back through
// cgt_release. No function throws: each catches every C++ exception and returns the message in its
// own result (err, freed with cgt_free; NULL means success), so nothing is kept per thread between
// two calls. The regular operations are declared in ops_gen.h, generated from ops.def.
//
// gotorch/internal/gen reads this file: one declaration ends at each semicolon.
#ifndef GOTORCH_NATIVE_CGOTORCH_H_
#define GOTORCH_NATIVE_CGOTORCH_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void* cgt_t;  // at::TensorImpl*; NULL stands for an undefined tensor

typedef struct {
  cgt_t t;
  char* err;
  int64_t scope;  // filled in by Go's stub: the scope of the calling thread
} cgt_rt;

typedef struct {
  cgt_t t[3];
  char* err;
  int64_t scope;
} cgt_rts;

typedef struct {
  cgt_t* list;  // freed with cgt_free
  int64_t n;
  char* err;
  int64_t scope;
} cgt_rl;

typedef struct {
  int64_t v;
  char* err;
} cgt_ri;

typedef struct {
  double v;
  char* err;
} cgt_rd;

typedef struct {
  char* v;  // freed with cgt_free
  int64_t n;
  char* err;
} cgt_rs;

typedef struct {
  void* v;
  char* err;
} cgt_rp;

typedef struct {
  int64_t dim;
  int64_t numel;
  int64_t element_size;    // bytes
  const int64_t* sizes;    // borrowed from the tensor, dim values
  const int64_t* strides;  // borrowed from the tensor, dim values, in elements
  int8_t dtype;            // c10::ScalarType
  int8_t device_type;      // c10::DeviceType
  int16_t device_index;    // -1: none given
  int8_t contiguous;       // in the order of its dimensions
  int8_t channels_last;    // contiguous as NHWC
  int8_t requires_grad;
  int8_t is_leaf;
  char* err;
} cgt_info;

typedef struct {
  int8_t type;    // c10::DeviceType
  int16_t index;  // -1: the current one
  char* err;
} cgt_device;

// What this library is.
const char* cgt_abi(void);
const char* cgt_built_for(void);
cgt_rs cgt_config(void);

// Memory of the interface itself.
void cgt_free(void* p);
void cgt_release(cgt_t* ts, int64_t n);
cgt_t cgt_retain(cgt_t t);

// Threads.
void cgt_thread_init(void);
char* cgt_set_num_threads(int64_t n);
int64_t cgt_num_threads(void);

// Looking at a tensor and moving bytes.
cgt_info cgt_describe(cgt_t t);
cgt_rt cgt_data_ptr(cgt_t t);
cgt_rt cgt_from_blob(void* p, int8_t dtype, const int64_t* sizes, int64_t n, int8_t copy);
char* cgt_copy_in(cgt_t t, const void* p, int64_t bytes);
char* cgt_copy_out(cgt_t t, void* p, int64_t bytes);
cgt_ri cgt_item_int(cgt_t t);
cgt_rd cgt_item_double(cgt_t t);
cgt_rs cgt_to_string(cgt_t t);
cgt_rs cgt_encode(cgt_t t);
cgt_rt cgt_decode(const char* p, int64_t n);
char* cgt_set_data(cgt_t t, cgt_t source);
cgt_rt cgt_to(cgt_t t, int8_t device_type, int16_t device_index, int8_t dtype, int8_t non_blocking,
              int8_t copy);
cgt_rt cgt_pin_memory(cgt_t t);

// Autograd and the modes of the calling thread.
char* cgt_backward(cgt_t t, cgt_t gradient, int8_t retain_graph, int8_t create_graph);
cgt_rl cgt_gradients(cgt_t* outputs, int64_t n_outputs, cgt_t* inputs, int64_t n_inputs,
                     cgt_t* grad_outputs, int64_t n_grad_outputs, int8_t create_graph);
cgt_rt cgt_grad(cgt_t t);
char* cgt_set_grad(cgt_t t, cgt_t g);
char* cgt_set_requires_grad(cgt_t t, int8_t on);
int8_t cgt_grad_mode(int8_t on);
void* cgt_inference_enter(void);
void cgt_inference_leave(void* guard);
cgt_ri cgt_autocast_enter(int8_t device_type, int8_t dtype, int8_t on);
void cgt_autocast_leave(int8_t device_type, int64_t before);
cgt_rd cgt_clip_grad_norm(cgt_t* params, int64_t n, double max_norm, double norm_type);
// The same without waiting for a device: the norm is a 0-dim tensor there.
cgt_rt cgt_limit_grad_norm(cgt_t* params, int64_t n, double max_norm, double norm_type);
// Divides the gradients by a scale of the loss, whose inverse is given; found, a 0-dim Float on their
// device, becomes 1 if one of them is not finite. cgt_scale_update then moves the scale: up by growth
// after interval steps in a row without, down by backoff with. tracker is a 0-dim Int.
char* cgt_unscale_grads(cgt_t* params, int64_t n, cgt_t inverse, cgt_t found);
char* cgt_scale_update(cgt_t scale, cgt_t tracker, cgt_t found, double growth, double backoff,
                       int64_t interval);
char* cgt_clip_grad_value(cgt_t* params, int64_t n, double value);

// Random numbers. A device type of -1 means every generator there is.
char* cgt_manual_seed(int64_t seed, int8_t device_type, int16_t device_index);
cgt_rt cgt_rng_state(int8_t device_type, int16_t device_index);
char* cgt_set_rng_state(int8_t device_type, int16_t device_index, cgt_t state);

// Devices and the switches of libtorch's global context.
cgt_rs cgt_load_cuda(const char* path);
cgt_device cgt_parse_device(const char* name);
int64_t cgt_cuda_device_count(void);
int8_t cgt_has_cudnn(void);
char* cgt_synchronize(int8_t device_type, int16_t device_index);
char* cgt_set_flag(const char* name, int8_t on);
cgt_ri cgt_stream_new(int16_t device_index, int64_t* id);
cgt_ri cgt_stream_current(int16_t device_index, int64_t* id);
char* cgt_stream_set(int16_t device_index, int64_t id);
cgt_ri cgt_stream_query(int16_t device_index, int64_t id);
char* cgt_stream_synchronize(int16_t device_index, int64_t id);

// libcgotorch_cuda.so: its kernels, and recordings of what a device's current stream does. cgt_cuda_open
// describes the GPUs; its error says what keeps them from being used. A recording is made between
// cgt_graph_begin and cgt_graph_end on a stream that is not the default one; freed with cgt_graph_free.
typedef struct cgt_graph cgt_graph;
cgt_rs cgt_cuda_open(const char* path);
cgt_ri cgt_cuda_memory(int16_t device_index, int64_t* all);  // bytes free, and all there are
cgt_rp cgt_cuda_stream(int16_t device_index);                // cudaStream_t, the current one
cgt_rp cgt_graph_begin(int16_t device_index);
char* cgt_graph_end(cgt_graph* g);
char* cgt_graph_replay(cgt_graph* g);
void cgt_graph_free(cgt_graph* g);

// nvJPEG, opened from a path or by a name; used by one thread at a time. cgt_nvjpeg_decode writes the
// [heights[i], widths[i], 3] bytes of file i to out[i], and returns a line for each file: empty, or why it
// is not decoded.
typedef struct cgt_nvjpeg cgt_nvjpeg;
cgt_rp cgt_nvjpeg_open(const char* path, int8_t device_type, int16_t device_index);
cgt_rs cgt_nvjpeg_version(cgt_nvjpeg* d);
cgt_rs cgt_nvjpeg_decode(cgt_nvjpeg* d, const uint8_t** files, const int64_t* bytes, uint8_t** out,
                         const int64_t* widths, const int64_t* heights, int64_t n);
void cgt_nvjpeg_close(cgt_nvjpeg* d);

// Optimisers. kind is 0 SGD, 1 Adam, 2 AdamW, 3 RMSprop, 4 LAMB, 5 Lion, 6 Muon, 7 MuonSphere.
typedef struct cgt_optimizer cgt_optimizer;
typedef struct {
  double lr, beta1, beta2, eps, weight_decay, momentum, dampening;
  int8_t nesterov, maximize, amsgrad;
} cgt_options;
cgt_optimizer* cgt_optimizer_new(int8_t kind);
void cgt_optimizer_free(cgt_optimizer* o);
cgt_ri cgt_optimizer_add_group(cgt_optimizer* o, cgt_t* params, int64_t n, const cgt_options* s);
char* cgt_optimizer_set_options(cgt_optimizer* o, int64_t group, const cgt_options* s);
// Steps change nothing when found, a 0-dim Float on the parameters' device, is 1: for SGD, Adam, AdamW.
// NULL: they always do.
char* cgt_optimizer_guard(cgt_optimizer* o, cgt_t found);
// SGD, Adam and AdamW read their learning rate from the parameters' device, so that a recorded step
// follows it; on the CPU nothing changes.
void cgt_optimizer_device_lr(cgt_optimizer* o, int8_t on);
char* cgt_optimizer_step(cgt_optimizer* o);
char* cgt_optimizer_zero_grad(cgt_optimizer* o, int8_t set_to_none);
int64_t cgt_optimizer_size(cgt_optimizer* o);
cgt_rts cgt_optimizer_state(cgt_optimizer* o, int64_t param);
char* cgt_optimizer_set_state(cgt_optimizer* o, int64_t param, cgt_t step, cgt_t first,
                              cgt_t second);

// Runs of convolution, ReLU and BatchNorm as one operation: kernels/conv_block.h says what and how.
typedef struct {
  int64_t order;  // kernels::Order
  cgt_t weight, bias, gamma, beta, running_mean, running_var;
  int64_t stride[2], padding[2], dilation[2];
  int64_t groups;
  double momentum, eps;
  int8_t training;
  cgt_t observe_conv, observe_norm;
  int64_t padding_end[2];  // below and on the right
  double relu_cap;         // infinity, or 6 for ReLU6
} cgt_stage;
cgt_rt cgt_conv_chain(cgt_t x, const cgt_stage* stages, int64_t n, cgt_t residual);
cgt_rt cgt_relu_norm(cgt_t x, const cgt_stage* stage, cgt_t residual);  // but the convolution
char* cgt_activation_statistics(cgt_t t, cgt_t out);
char* cgt_kernels_set(int64_t mode, const char* choice_file);
cgt_rs cgt_kernels_choices(void);
cgt_rs cgt_kernels_instructions(void);

// Recording the operations of the calling thread as a graph. cgt_trace_end returns the constant tensors
// that the graph names by their number; script.cpp says how the graph is written.
char* cgt_trace_begin(cgt_t* inputs, int64_t n);
cgt_rl cgt_trace_end(cgt_t output, cgt_rs* graph);
void cgt_trace_abandon(void);

// TorchScript modules, each freed with cgt_script_free. source defines the method forward.
cgt_rp cgt_script_define(const char* source, const char** names, cgt_t* tensors, int64_t n);
cgt_rp cgt_script_load(const char* path, int8_t device_type, int16_t device_index);
char* cgt_script_save(void* script, const char* path, const char** names, const char** texts,
                      int64_t n);
cgt_rt cgt_script_forward(void* script, cgt_t* inputs, int64_t n);
void cgt_script_free(void* script);

// Processes that train together; distributed/README.md. A store is where they meet: a server when
// listener, a listening socket that it takes over, is not -1; prefix goes before every key. Collectives
// change their tensor in place and are called in the same order by every process of a group. op is 0 sum,
// 1 maximum, 2 minimum.
typedef struct cgt_store cgt_store;
typedef struct cgt_group cgt_group;
typedef struct cgt_reducer cgt_reducer;
cgt_rp cgt_store_new(const char* host, int64_t port, int64_t listener, const char* prefix,
                     int64_t timeout_ms);
void cgt_store_free(cgt_store* s);
char* cgt_store_set(cgt_store* s, const char* key, const char* value, int64_t n);
cgt_rs cgt_store_get(cgt_store* s, const char* key, int64_t timeout_ms);
cgt_ri cgt_store_check(cgt_store* s, const char* key);
cgt_rp cgt_group_new(cgt_store* s, int64_t rank, int64_t size, int64_t timeout_ms,
                     const char* address, const char* interface_name);
// Collectives of CUDA tensors go through NCCL from now on, on this device.
char* cgt_group_use_nccl(cgt_group* g, cgt_store* s, int64_t timeout_ms, int16_t device_index);
void cgt_group_free(cgt_group* g);
char* cgt_group_all_reduce(cgt_group* g, cgt_t t, int8_t op);
char* cgt_group_broadcast(cgt_group* g, cgt_t t, int64_t root);
cgt_rl cgt_group_all_gather(cgt_group* g, cgt_t t);
char* cgt_group_barrier(cgt_group* g);
char* cgt_group_sync_batch_norm(cgt_group* g);
cgt_rp cgt_reducer_new(cgt_group* g, cgt_t* params, int64_t n, int64_t bucket_bytes);
void cgt_reducer_free(cgt_reducer* r);
char* cgt_reducer_before_forward(cgt_reducer* r);
char* cgt_reducer_before_backward(cgt_reducer* r);

// For measuring the cost of a call: n additions of two small tensors inside C++, in nanoseconds each.
cgt_rd cgt_bench_add(int64_t n);
void cgt_bench_nop(void);

#include "ops_gen.h"

#ifdef __cplusplus
}
#endif

#endif  // GOTORCH_NATIVE_CGOTORCH_H_
