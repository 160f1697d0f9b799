#!/usr/bin/env bash
# Builds libcgotorch_cuda.so into $ORRERY_LIB, with NVIDIA's compiler from the wheels pinned for this libtorch, or, for another
# libtorch, with the CUDA toolkit that is installed, as in NVIDIA's PyTorch image; run through env.sh. No GPU is needed.
# --if-there does nothing where the compiler was not fetched before.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/setup/lib.sh
. "$here/lib.sh"

toolkit=$cache/cuda-$TORCH
wheels=$(pin "CUDA_$TORCH")
if [ "${1:-}" = --if-there ] && { [ -z "$wheels" ] || [ "$(cat "$toolkit/.orrery" 2>/dev/null)" != "$wheels" ]; }; then
  say "CUDA: not built, its compiler is not in $toolkit; make cuda fetches it (300 MB) and builds"
  exit
fi
[ -e "$TORCH_DIR/lib/libtorch_cuda.so" ] || die "the libtorch in $TORCH_DIR has no libtorch_cuda.so; unset LIBTORCH for one that has"
if [ -n "$wheels" ]; then
  "$here/wheels.sh" "$toolkit" "CUDA_$TORCH" "CUDA compiler" nvidia/cu13/ nvidia/nccl/include/
  cuda=$toolkit/nvidia/cu13 nccl=$toolkit/nvidia/nccl/include
else
  cuda=${CUDA_HOME:-/usr/local/cuda} nccl=""
  for folder in "${NCCL_HOME:+$NCCL_HOME/include}" "$cuda/include" /usr/include; do
    [ -n "$nccl" ] || [ ! -e "$folder/nccl.h" ] || nccl=$folder
  done
  [ -x "$cuda/bin/nvcc" ] && [ -n "$nccl" ] ||
    die "versions.mk pins no CUDA compiler for libtorch $TORCH, and $cuda has none with NCCL's header; set CUDA_HOME and NCCL_HOME, or make cuda TORCH=$(pin LIBTORCH), which is pinned"
  say "CUDA: with $cuda, as versions.mk pins no compiler for libtorch $TORCH"
fi

output=$ORRERY_LIB
tree=$output/cmake-cuda
mkdir -p "$output"
exec 9>"$output/.lock-cuda"
flock 9
cmake -S "$root/gotorch/native" -B "$tree" -DCMAKE_BUILD_TYPE=Release -DTORCH_DIR="$TORCH_DIR" -DOUTPUT_DIR="$output" \
  -DCUDA_DIR="$cuda" -DNCCL_INCLUDE="$nccl" -DEXTRA_CUDA="$root/internal/kernel/gather.cu" >"$output/cmake-cuda.log" 2>&1 || {
  tail -n 20 "$output/cmake-cuda.log" >&2
  die "CMake could not configure gotorch/native for CUDA; the whole output is in $output/cmake-cuda.log"
}
# One file at a time: ptxas takes a core and a gigabyte.
cmake --build "$tree" --target cgotorch_cuda 9>&-
say "CUDA: $output/libcgotorch_cuda.so"
