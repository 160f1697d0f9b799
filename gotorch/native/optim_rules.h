// The update rules of the optimisers that libtorch has no fused kernel for.
#pragma once

#include <ATen/ATen.h>

#include "cgotorch.h"

namespace cgt {

enum OptimizerKind : int8_t { kSGD, kAdam, kAdamW, kRMSprop, kLAMB, kLion, kMuon, kMuonSphere };

// How many tensors of state a rule keeps for a parameter, the count of steps aside.
int state_tensors(int8_t kind, const cgt_options& s);

// Changes p once by its gradient g at the rate lr, a Double of no dimension on the CPU or where p is; s.lr does not
// count. step, a Float of no dimension where p is, counts from 1. first and second are the rule's state, zeros before
// the first step. Nothing waits for a device, so that a step can be recorded.
void update(int8_t kind, const cgt_options& s, const at::Tensor& lr, const at::Tensor& step,
            at::Tensor p, const at::Tensor& g, at::Tensor first, at::Tensor second);

}  // namespace cgt
