// The C face of kernels/conv_block.h.

#include "kernels/activation.h"
#include "kernels/conv_block.h"
#include "relu_norm.h"
#include "shim.h"

using namespace cgt;  // NOLINT
namespace kernels = gotorch::kernels;

static kernels::Stage stage(const cgt_stage& s) {
  kernels::Stage k;
  TORCH_CHECK(s.order >= 0 && s.order <= 4, "a stage has no order ", s.order);
  k.order = static_cast<kernels::Order>(s.order);
  k.weight = T(s.weight);
  k.bias = T(s.bias);
  k.stride = {s.stride[0], s.stride[1]};
  k.padding = {s.padding[0], s.padding[1]};
  k.padding_end = {s.padding_end[0], s.padding_end[1]};
  k.relu_cap = s.relu_cap;
  k.dilation = {s.dilation[0], s.dilation[1]};
  k.groups = s.groups;
  k.gamma = T(s.gamma);
  k.beta = T(s.beta);
  k.running_mean = T(s.running_mean);
  k.running_var = T(s.running_var);
  k.training = s.training != 0;
  k.momentum = s.momentum;
  k.eps = s.eps;
  k.observe_conv = T(s.observe_conv);
  k.observe_norm = T(s.observe_norm);
  return k;
}

extern "C" {

cgt_rt cgt_conv_chain(cgt_t x, const cgt_stage* stages, int64_t n, cgt_t residual) {
  return one([&] {
    std::vector<kernels::Stage> list;
    list.reserve(n);
    for (int64_t i = 0; i < n; i++) list.push_back(stage(stages[i]));
    return kernels::conv_chain(T(x), list, T(residual));
  });
}

cgt_rt cgt_relu_norm(cgt_t x, const cgt_stage* s, cgt_t residual) {
  return one([&] { return gotorch::relu_norm(T(x), stage(*s), T(residual)); });
}

char* cgt_activation_statistics(cgt_t t, cgt_t out) {
  return nothing([&] { kernels::activation_statistics(T(t), T(out)); });
}

char* cgt_kernels_set(int64_t mode, const char* choice_file) {
  return nothing([&] {
    TORCH_CHECK(mode >= 0 && mode <= 2, "there is no kernel mode ", mode);
    kernels::set_mode(static_cast<kernels::Mode>(mode));
    kernels::set_choice_file(choice_file);
  });
}

cgt_rs cgt_kernels_choices() {
  return text([] { return kernels::choices(); });
}

cgt_rs cgt_kernels_instructions() {
  return text([] { return std::string(kernels::instruction_set()); });
}

}  // extern "C"
