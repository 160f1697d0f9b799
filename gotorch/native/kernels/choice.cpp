#include "choice.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "reference.h"

namespace gotorch::kernels {

namespace {

// Timing stops here for the life of the process; shapes met later run on own kernels, untimed.
constexpr double kBudgetSeconds = 0.9;
// Images timed: enough for this many multiply-adds, and at least kImages. With less work than that, what
// a call costs decides, of which libtorch's many operations pay more than they do at the batch's size.
constexpr double kWork = 160e6;
constexpr int64_t kImages = 16;
constexpr int kRounds = 3;

struct Times {
  double own, libtorch;  // seconds
  bool own_wins() const { return own <= libtorch; }
};

std::mutex mutex;
std::map<std::string, Times> known;
std::string file;
double spent = 0;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool wants_backward(const at::Tensor& x, const Stage& s) {
  return at::GradMode::is_enabled() && (x.requires_grad() || s.weight.requires_grad() ||
                                        (s.gamma.defined() && s.gamma.requires_grad()));
}

int64_t images(const at::Tensor& x, const Stage& s) {
  const auto out = output_sizes(x, s);
  const int64_t taps = s.weight.numel() / out[1];
  // Writing an output and reading it costs about as much as 64 multiply-adds.
  const auto work = static_cast<double>(out[1] * out[2] * out[3] * (taps + 64));
  return std::min(x.size(0), std::max(kImages, static_cast<int64_t>(kWork / work)));
}

std::string key_of(const at::Tensor& x, const Stage& s, bool backward) {
  std::ostringstream o;
  o << TORCH_VERSION << ' ' << instruction_set() << ' ' << at::get_num_threads() << "t "
    << (backward ? "train " : "infer ") << images(x, s) << 'x' << x.size(1) << 'x' << x.size(2)
    << 'x' << x.size(3) << " conv" << s.weight.size(0) << 'k' << s.weight.size(2) << 'x'
    << s.weight.size(3) << 's' << s.stride[0] << 'x' << s.stride[1] << 'p' << s.padding[0] << 'x'
    << s.padding[1] << '-' << s.padding_end[0] << 'x' << s.padding_end[1] << " groups" << s.groups
    << " order" << static_cast<int>(s.order) << (s.training ? " batch" : "");
  return o.str();
}

at::Tensor stand_in(const at::Tensor& t, bool grad) {
  if (!t.defined()) return t;
  // Of the same layout: libtorch is faster with channels-last weights.
  return at::full_like(t.detach(), 0.01).set_requires_grad(grad);
}

Times measure(const at::Tensor& x, const Stage& s, bool backward) {
  Stage stage = s;
  stage.weight = stand_in(s.weight, backward);
  for (at::Tensor Stage::*p : {&Stage::bias, &Stage::gamma, &Stage::beta})
    stage.*p = stand_in(s.*p, backward);
  for (at::Tensor Stage::*p : {&Stage::running_mean, &Stage::running_var})
    stage.*p = stand_in(s.*p, false);
  at::Tensor in =
      at::full({images(x, s), x.size(1), x.size(2), x.size(3)}, 0.5,
               at::TensorOptions().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  // The network's input needs no gradient; x of a later stage does, whatever this stand-in says.
  in.set_requires_grad(backward && x.size(1) > 4);
  const auto run = [&](bool own) {
    const double start = now();
    const at::Tensor y = own ? own_chain(in, {stage}, {}) : reference_stage(in, stage);
    if (backward) torch::autograd::backward({y}, {at::ones_like(y)});
    return now() - start;
  };
  Times t{1e9, 1e9};
  for (int i = 0; i < kRounds; i++) {
    t.own = std::min(t.own, run(true));
    t.libtorch = std::min(t.libtorch, run(false));
  }
  return t;
}

void remember(const std::string& key, const Times& t) {
  known[key] = t;
  if (file.empty()) return;
  // One short line in append mode: processes that share the file do not disturb each other. A file that
  // cannot be written costs the next process the same measurement, no more.
  std::ofstream(file, std::ios::app) << key << '\t' << t.own << '\t' << t.libtorch << '\n';
}

}  // namespace

bool own_is_faster(const at::Tensor& x, const Stage& s) {
  const bool backward = wants_backward(x, s);
  const std::string key = key_of(x, s, backward);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known.find(key);
  if (found != known.end()) return found->second.own_wins();
  if (spent > kBudgetSeconds) return true;
  const double start = now();
  const Times t = measure(x, s, backward);
  spent += now() - start;
  remember(key, t);
  return t.own_wins();
}

void set_choice_file(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex);
  file = path;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string key;
    Times t{};
    if (std::getline(fields, key, '\t') && fields >> t.own >> t.libtorch) known[key] = t;
  }
}

std::string choices() {
  const std::lock_guard<std::mutex> lock(mutex);
  std::string text;
  for (const auto& [key, t] : known) {
    char line[96];
    std::snprintf(line, sizeof line, "\t%.3f\t%.3f\t%s\n", t.own * 1e3, t.libtorch * 1e3,
                  t.own_wins() ? "own" : "libtorch");
    text += key + line;
  }
  return text;
}

}  // namespace gotorch::kernels
