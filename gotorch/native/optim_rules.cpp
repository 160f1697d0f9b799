#include "optim_rules.h"

#include <algorithm>
#include <cmath>

namespace cgt {

namespace {

// What a decoupled decay leaves of the weights.
at::Tensor decayed(const cgt_options& s, const at::Tensor& lr) {
  return lr.mul(s.weight_decay).neg_().add_(1);
}

// Tieleman and Hinton, 2012, with torch.optim.RMSprop's order of operations; alpha is beta2.
void rmsprop(const cgt_options& s, const at::Tensor& lr, at::Tensor p, at::Tensor g,
             at::Tensor square, at::Tensor buffer) {
  if (s.weight_decay != 0) g = g.add(p, s.weight_decay);
  square.mul_(s.beta2).addcmul_(g, g, 1 - s.beta2);
  const at::Tensor root = square.sqrt().add_(s.eps);
  if (s.momentum > 0) {
    buffer.mul_(s.momentum).addcdiv_(g, root);
    p.sub_(buffer.mul(lr));
  } else {
    p.sub_(g.div(root).mul_(lr));
  }
}

// You et al., 2020: Adam's step, scaled so that its norm is lr times the weights'. Weights without
// decay take Adam's step, as in timm.
void lamb(const cgt_options& s, const at::Tensor& lr, const at::Tensor& step, at::Tensor p,
          const at::Tensor& g, at::Tensor mean, at::Tensor square) {
  mean.mul_(s.beta1).add_(g, 1 - s.beta1);
  square.mul_(s.beta2).addcmul_(g, g, 1 - s.beta2);
  const at::Tensor n = step.to(at::kDouble);
  const at::Tensor c1 = at::pow(s.beta1, n).neg_().add_(1);
  const at::Tensor c2 = at::pow(s.beta2, n).neg_().add_(1).sqrt_();
  at::Tensor change = mean.div(c1).div_(square.sqrt().div_(c2).add_(s.eps));
  if (s.weight_decay != 0) {
    change.add_(p, s.weight_decay);
    const at::Tensor weights = p.norm(), changes = change.norm();
    const at::Tensor ratio = at::where((weights > 0).logical_and(changes > 0), weights / changes,
                                       at::ones_like(weights));
    change.mul_(ratio);
  }
  p.sub_(change.mul_(lr));
}

// Chen et al., 2023.
void lion(const cgt_options& s, const at::Tensor& lr, at::Tensor p, const at::Tensor& g,
          at::Tensor mean) {
  p.mul_(decayed(s, lr));
  p.sub_(mean.lerp(g, 1 - s.beta1).sign_().mul_(lr));
  mean.lerp_(g, 1 - s.beta2);
}

// The nearest orthogonal matrix, roughly: so many Newton-Schulz steps in dtype (Jordan et al., 2024).
at::Tensor orthogonal(const at::Tensor& g, int steps, at::ScalarType dtype) {
  const double a = 3.4445, b = -4.7750, c = 2.0315;
  at::Tensor x = g.to(dtype);
  const bool tall = g.size(0) > g.size(1);
  if (tall) x = x.t();
  x = x / x.norm().clamp_min(1e-7);
  for (int i = 0; i < steps; i++) {
    const at::Tensor gram = at::mm(x, x.t());
    x = at::addmm(x, at::addmm(gram, gram, gram, b, c), x, a, 1);
  }
  return tall ? x.t() : x;
}

// torch.optim.Muon, with Nesterov's momentum; a convolution counts as a matrix with a row for each
// output channel.
void muon(const cgt_options& s, const at::Tensor& lr, at::Tensor p, const at::Tensor& g,
          at::Tensor buffer) {
  TORCH_CHECK(p.dim() > 1,
              "Muon trains matrices and convolutions, not vectors; give those to AdamW");
  buffer.lerp_(g, 1 - s.momentum);
  const at::Tensor change = g.lerp(buffer, s.momentum).flatten(1);
  const at::Tensor rate =
      lr.mul(std::sqrt(std::max(1.0, static_cast<double>(change.size(0)) / change.size(1))));
  p.mul_(decayed(s, lr));
  p.sub_(orthogonal(change, 5, at::kBFloat16).to(p.scalar_type()).reshape(p.sizes()).mul(rate));
}

// Jordan's airbench94_muon, 2024: the weights are first brought to a norm of sqrt(rows), then take an orthogonal step,
// which has such a norm, too: lr alone is how far they turn. Three Newton-Schulz steps; in bfloat16 where a GPU gains by
// it, for a CPU does not.
void muon_sphere(const cgt_options& s, const at::Tensor& lr, at::Tensor p, const at::Tensor& g,
                 at::Tensor buffer) {
  TORCH_CHECK(p.dim() > 1, "Muon trains matrices and convolutions, not vectors; give those to SGD");
  buffer.mul_(s.momentum).add_(g);
  const at::Tensor change = g.add(buffer, s.momentum).flatten(1);
  const at::ScalarType dtype = p.is_cuda() ? at::kBFloat16 : p.scalar_type();
  p.mul_(p.norm().clamp_min(1e-7).reciprocal_().mul_(std::sqrt(static_cast<double>(p.size(0)))));
  p.sub_(orthogonal(change, 3, dtype).to(p.scalar_type()).reshape(p.sizes()).mul(lr));
}

}  // namespace

int state_tensors(int8_t kind, const cgt_options& s) {
  switch (kind) {
    case kSGD:
      return s.momentum != 0 ? 1 : 0;
    case kLion:
    case kMuon:
    case kMuonSphere:
      return 1;
    default:
      return 2;
  }
}

void update(int8_t kind, const cgt_options& s, const at::Tensor& lr, const at::Tensor& step,
            at::Tensor p, const at::Tensor& g, at::Tensor first, at::Tensor second) {
  const at::Tensor gradient = s.maximize ? g.neg() : g;
  switch (kind) {
    case kRMSprop:
      return rmsprop(s, lr, p, gradient, first, second);
    case kLAMB:
      return lamb(s, lr, step, p, gradient, first, second);
    case kLion:
      return lion(s, lr, p, gradient, first);
    case kMuon:
      return muon(s, lr, p, gradient, first);
    case kMuonSphere:
      return muon_sphere(s, lr, p, gradient, first);
    default:
      TORCH_CHECK(false, "no such optimiser: ", static_cast<int>(kind));
  }
}

}  // namespace cgt
