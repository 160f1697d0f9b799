// Memory for activations and gradients that is kept from step to step: the same sizes come back every
// step, and fresh memory costs a page fault for every 4 KiB.
#pragma once

#include <cstddef>
#include <memory>

namespace gotorch::kernels {

// A buffer of at least floats floats (and 64 readable ones after them), 64-byte aligned, contents
// undefined. The last owner's release keeps it for the next call. What is in use and kept together never
// exceeds one and a half times the most that was ever in use at once: with less room, the sizes of a step
// push each other out.
std::shared_ptr<float> recycled(std::size_t floats);

// Gives all kept buffers back to the system.
void release_recycled();

}  // namespace gotorch::kernels
