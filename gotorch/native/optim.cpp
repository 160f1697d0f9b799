// SGD, Adam, AdamW and others over groups of parameters, one call a step.
//
// The arithmetic of the first three is PyTorch's own fused kernels (at::_fused_sgd_, _fused_adam_, _fused_adamw_), the
// ones torch.optim runs with fused=True. Every option of a group may change between steps, beta1
// included: the bias corrections use the value of the current step, as PyTorch's do.

#include <torch/csrc/autograd/variable.h>

#include <new>

#include "optim_rules.h"
#include "shim.h"

using namespace cgt;  // NOLINT

namespace {

struct Param {
  at::Tensor p;
  at::Tensor step;           // float, 0-dim: the count of steps taken
  at::Tensor first, second;  // Adam: the two averages; SGD: the momentum buffer
};

struct Group {
  cgt_options s;
  std::vector<Param> params;
  at::Tensor lr;  // where the parameters are, if the optimiser was asked to keep it there
};

// The parameters of one step that share a device, a dtype and (SGD) having a momentum buffer yet.
struct Bucket {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  bool first = false;
  std::vector<at::Tensor> p, g, a, b, steps;
};

}  // namespace

struct cgt_optimizer {
  int8_t kind;
  std::vector<Group> groups;
  bool device_lr = false;
  at::Tensor found;  // see cgt_optimizer_guard

  Param& at(int64_t i) {
    for (Group& g : groups) {
      if (i >= 0 && i < static_cast<int64_t>(g.params.size())) return g.params[i];
      i -= static_cast<int64_t>(g.params.size());
    }
    TORCH_CHECK(false, "the optimiser has no such parameter");
  }

  void step();
  void rule(Group& group, Param& q, const at::Tensor& g);
  template <typename LR>
  void apply(Bucket& b, const cgt_options& s, const LR& lr);
};

static void check_options(const cgt_options& s) {
  TORCH_CHECK(s.lr >= 0, "the learning rate must be >= 0, it is ", s.lr);
  TORCH_CHECK(s.beta1 >= 0 && s.beta1 < 1, "beta1 must be in [0, 1), it is ", s.beta1);
  TORCH_CHECK(s.beta2 >= 0 && s.beta2 < 1, "beta2 must be in [0, 1), it is ", s.beta2);
  TORCH_CHECK(s.eps >= 0, "eps must be >= 0, it is ", s.eps);
  TORCH_CHECK(s.weight_decay >= 0, "the weight decay must be >= 0, it is ", s.weight_decay);
  TORCH_CHECK(s.momentum >= 0, "the momentum must be >= 0, it is ", s.momentum);
  TORCH_CHECK(!s.nesterov || (s.momentum > 0 && s.dampening == 0),
              "Nesterov momentum requires a momentum and zero dampening");
}

// A parameter that was given other data since (SetData, Module.To) may no longer fit what belongs to it, and
// the fused kernels do not look.
static void check_fits(const char* what, const at::Tensor& t, const at::Tensor& p) {
  TORCH_CHECK(t.sizes() == p.sizes(), what, " has the shape ", t.sizes(), ", its parameter ",
              p.sizes());
  TORCH_CHECK(t.scalar_type() == p.scalar_type() && t.device() == p.device(), what, " is ",
              t.toString(), ", its parameter ", p.toString());
}

// Where the guard is 1, a tensor takes what it was before again: chosen, not multiplied, for what the step wrote may
// be no number.
static void keep_where(const at::Tensor& skip, const at::Tensor& before, at::Tensor t) {
  if (t.defined()) t.copy_(at::where(skip, before, t));
}

static at::Tensor copy_of(const at::Tensor& t) { return t.defined() ? t.clone() : t; }

// A step of one parameter by a rule of optim_rules.cpp.
void cgt_optimizer::rule(Group& group, Param& q, const at::Tensor& g) {
  at::Tensor lr;
  if (device_lr) {
    if (!group.lr.defined()) group.lr = at::full({}, group.s.lr, q.p.options().dtype(at::kDouble));
    lr = group.lr;
  } else {
    lr = at::scalar_tensor(group.s.lr, at::kDouble);
  }
  if (!found.defined()) {
    q.step.add_(1);
    update(kind, group.s, lr, q.step, q.p, g, q.first, q.second);
    return;
  }
  const at::Tensor skip = found > 0;
  const at::Tensor p = copy_of(q.p), first = copy_of(q.first), second = copy_of(q.second);
  q.step.add_(1);
  update(kind, group.s, lr, q.step, q.p, g, q.first, q.second);
  q.step.sub_(found);
  keep_where(skip, p, q.p);
  keep_where(skip, first, q.first);
  keep_where(skip, second, q.second);
}

void cgt_optimizer::step() {
  c10::NoGradGuard no_grad;
  for (Group& group : groups) {
    const cgt_options& s = group.s;
    std::vector<Bucket> buckets;
    for (Param& q : group.params) {
      at::Tensor g = q.p.grad();
      if (!g.defined()) continue;
      TORCH_CHECK(!g.is_sparse(), "a sparse gradient is not supported");
      check_fits("the gradient", g, q.p);
      if (q.first.defined()) check_fits("the optimiser's state", q.first, q.p);
      // The fused kernels walk plain memory: gradient and parameter must be laid out alike.
      if (g.strides() != q.p.strides()) g = at::empty_like(q.p).copy_(g);
      const bool fresh = !q.first.defined();
      if (fresh && state_tensors(kind, s) > 0) q.first = at::zeros_like(q.p);
      if (fresh && state_tensors(kind, s) > 1) q.second = at::zeros_like(q.p);
      if (!q.step.defined())
        q.step = at::zeros({}, at::TensorOptions().dtype(at::kFloat).device(q.p.device()));
      if (kind > kAdamW) {
        rule(group, q, g);
        continue;
      }
      const bool first = kind == 0 && fresh;
      Bucket* b = nullptr;
      for (Bucket& x : buckets)
        if (x.device == q.p.device() && x.dtype == q.p.scalar_type() && x.first == first) b = &x;
      if (b == nullptr) {
        buckets.emplace_back();
        b = &buckets.back();
        b->device = q.p.device();
        b->dtype = q.p.scalar_type();
        b->first = first;
      }
      b->p.push_back(q.p);
      b->g.push_back(g);
      b->steps.push_back(q.step);
      if (q.first.defined()) b->a.push_back(q.first);
      if (q.second.defined()) b->b.push_back(q.second);
    }
    for (Bucket& b : buckets) {
      if (device_lr && b.device.is_cuda()) {
        if (!group.lr.defined()) group.lr = at::full({}, s.lr, b.steps[0].options());
        apply(b, s, group.lr);
      } else {
        apply(b, s, s.lr);
      }
    }
  }
}

template <typename LR>
void cgt_optimizer::apply(Bucket& b, const cgt_options& s, const LR& lr) {
  std::optional<at::Tensor> skip;
  if (found.defined()) skip = found;
  at::_foreach_add_(b.steps, 1);
  if (kind == kSGD) {
    at::_fused_sgd_(b.p, b.g, b.a, s.weight_decay, s.momentum, lr, s.dampening, s.nesterov,
                    s.maximize, b.first, {}, skip);
  } else if (kind == kAdam) {
    at::_fused_adam_(b.p, b.g, b.a, b.b, {}, b.steps, lr, s.beta1, s.beta2, s.weight_decay, s.eps,
                     false, s.maximize, {}, skip);
  } else {
    at::_fused_adamw_(b.p, b.g, b.a, b.b, {}, b.steps, lr, s.beta1, s.beta2, s.weight_decay, s.eps,
                      false, s.maximize, {}, skip);
  }
  if (skip) at::_foreach_add_(b.steps, *skip, -1);
}

extern "C" {

cgt_optimizer* cgt_optimizer_new(int8_t kind) {
  auto* o = new (std::nothrow) cgt_optimizer;
  if (o != nullptr) o->kind = kind;
  return o;
}

void cgt_optimizer_free(cgt_optimizer* o) { delete o; }

cgt_ri cgt_optimizer_add_group(cgt_optimizer* o, cgt_t* params, int64_t n, const cgt_options* s) {
  return integer([&]() -> int64_t {
    check_options(*s);
    Group g;
    g.s = *s;
    for (const at::Tensor& p : L(params, n)) {
      TORCH_CHECK(p.defined(), "a parameter is an undefined tensor");
      TORCH_CHECK(p.is_leaf(), "can't optimize a non-leaf Tensor");
      g.params.push_back({p, {}, {}, {}});
    }
    o->groups.push_back(std::move(g));
    return static_cast<int64_t>(o->groups.size()) - 1;
  });
}

char* cgt_optimizer_set_options(cgt_optimizer* o, int64_t group, const cgt_options* s) {
  return nothing([&] {
    check_options(*s);
    TORCH_CHECK(group >= 0 && group < static_cast<int64_t>(o->groups.size()),
                "the optimiser has no group ", group);
    Group& g = o->groups[group];
    if (g.lr.defined() && g.s.lr != s->lr) g.lr.fill_(s->lr);
    g.s = *s;
  });
}

char* cgt_optimizer_guard(cgt_optimizer* o, cgt_t found) {
  return nothing([&] {
    const at::Tensor t = T(found);
    TORCH_CHECK(!t.defined() || (t.dim() == 0 && t.scalar_type() == at::kFloat),
                "a guard is a Float of no dimension, this is ", t.toString(), " of ", t.sizes());
    o->found = t;
  });
}

void cgt_optimizer_device_lr(cgt_optimizer* o, int8_t on) { o->device_lr = on != 0; }

char* cgt_optimizer_step(cgt_optimizer* o) {
  return nothing([&] { o->step(); });
}

char* cgt_optimizer_zero_grad(cgt_optimizer* o, int8_t set_to_none) {
  return nothing([&] {
    for (Group& group : o->groups)
      for (Param& q : group.params) {
        at::Tensor& g = q.p.mutable_grad();
        if (!g.defined()) continue;
        if (set_to_none) {
          g.reset();
        } else {
          g = g.detach();
          g.zero_();
        }
      }
  });
}

int64_t cgt_optimizer_size(cgt_optimizer* o) {
  int64_t n = 0;
  for (const Group& g : o->groups) n += static_cast<int64_t>(g.params.size());
  return n;
}

cgt_rts cgt_optimizer_state(cgt_optimizer* o, int64_t param) {
  return several([&] {
    const Param& q = o->at(param);
    return std::make_tuple(q.step, q.first, q.second);
  });
}

char* cgt_optimizer_set_state(cgt_optimizer* o, int64_t param, cgt_t step, cgt_t first,
                              cgt_t second) {
  return nothing([&] {
    c10::NoGradGuard no_grad;
    Param& q = o->at(param);
    const auto fit = [&](cgt_t p) {
      const at::Tensor t = T(p);
      if (!t.defined()) return at::Tensor();
      TORCH_CHECK(t.sizes() == q.p.sizes(), "the state has the shape ", t.sizes(),
                  ", its parameter ", q.p.sizes());
      return at::empty_like(q.p).copy_(t);
    };
    at::Tensor a = fit(first), b = fit(second), n = T(step);
    if (n.defined()) n = n.detach().to(q.p.device(), at::kFloat, false, true).reshape({});
    q.step = n;
    q.first = a;
    q.second = b;
  });
}

}  // extern "C"
