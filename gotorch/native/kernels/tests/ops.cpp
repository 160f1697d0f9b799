// conv_chain as torch.ops.gotorch_kernels.*, for the checks in scripts/peers.
#include <torch/library.h>

#include "conv_block.h"

namespace k = gotorch::kernels;

namespace {

using Optional = std::optional<at::Tensor>;
using Optionals = c10::List<Optional>;

at::Tensor get(const Optionals& list, size_t i) { return list.get(i).value_or(at::Tensor()); }

// tensors: weight, bias, gamma, beta, running mean, running variance of each stage. numbers: order,
// stride h, w, padding above, left, below, right, dilation h, w, groups, training of each stage. reals:
// momentum, eps, the ReLU's cap.
at::Tensor conv_chain(const at::Tensor& x, const Optionals& tensors, at::IntArrayRef numbers,
                      at::ArrayRef<double> reals, const Optional& residual) {
  std::vector<k::Stage> stages(reals.size() / 3);
  for (size_t i = 0; i < stages.size(); i++) {
    k::Stage& s = stages[i];
    const int64_t* n = numbers.data() + 11 * i;
    s.order = static_cast<k::Order>(n[0]);
    s.stride = {n[1], n[2]}, s.padding = {n[3], n[4]}, s.padding_end = {n[5], n[6]};
    s.dilation = {n[7], n[8]}, s.groups = n[9], s.training = n[10] != 0;
    s.weight = get(tensors, 6 * i), s.bias = get(tensors, 6 * i + 1);
    s.gamma = get(tensors, 6 * i + 2), s.beta = get(tensors, 6 * i + 3);
    s.running_mean = get(tensors, 6 * i + 4), s.running_var = get(tensors, 6 * i + 5);
    s.momentum = reals[3 * i], s.eps = reals[3 * i + 1], s.relu_cap = reals[3 * i + 2];
  }
  return k::conv_chain(x, stages, residual.value_or(at::Tensor()));
}

void set_mode(int64_t mode) { k::set_mode(static_cast<k::Mode>(mode)); }
void set_choice_file(std::string path) { k::set_choice_file(path); }
std::string instruction_set() { return k::instruction_set(); }
std::string choices() { return k::choices(); }

}  // namespace

TORCH_LIBRARY(gotorch_kernels, m) {
  m.def(
      "conv_chain(Tensor x, Tensor?[] tensors, int[] numbers, float[] reals, Tensor? residual) -> "
      "Tensor");
  m.impl("conv_chain", c10::DispatchKey::CompositeImplicitAutograd, conv_chain);
  m.def("set_mode", set_mode);
  m.def("set_choice_file", set_choice_file);
  m.def("instruction_set", instruction_set);
  m.def("choices", choices);
}
