// The update rules of the optimisers that libtorch has no fused kernel for.
#pragma once

#include <ATen/ATen.h>

#include "cgotorch.h"

namespace cgt {

enum OptimizerKind : int8_t { kSGD, kAdam, kAdamW, kRMSprop, kLAMB, kLion, kMuon, kMuonSphere };

// How many tensors of state a rule keeps for a parameter, the count of steps aside.
int state_tensors(int8_t kind, const cgt_options& s);

// Changes p once by its gradient g; step counts from 1. first and second are the rule's state, zeros
// before the first step.
void update(int8_t kind, const cgt_options& s, double step, at::Tensor p, const at::Tensor& g,
            at::Tensor first, at::Tensor second);

}  // namespace cgt
