// libtorch's own threads, without a second OpenMP run-time in the process.
#pragma once

#include <functional>

namespace gotorch::kernels {

// at::get_num_threads(), or 1 inside a parallel region.
int threads();

// Runs task(0) ... task(tasks - 1) on libtorch's threads and waits. Which thread runs which task does
// not matter to the tasks: results depend on the cut into tasks only.
void parallel(int tasks, const std::function<void(int)>& task);

// A buffer of at least floats floats that belongs to the calling thread and lives as long as it, one
// per slot. Contents are undefined; 64-byte aligned; 64 readable floats follow the end.
enum Slot { kInputSlot, kGradientSlot, kPlanesSlot, kGradientPlanesSlot, kProductsSlot, kSlots };
float* scratch(Slot slot, std::size_t floats);

}  // namespace gotorch::kernels
