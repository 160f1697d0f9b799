#!/usr/bin/env bash
# The kernels' passes without libtorch on threads of their own, in every form this machine runs: under ThreadSanitizer, and
# under valgrind where that is installed (it knows no AVX-512). Run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
kernels=gotorch/native/kernels
flags=(-std=c++17 -O1 -g -I "$root/$kernels" -isystem "$TORCH_DIR/include" -isystem "$TORCH_DIR/include/torch/csrc/api/include")
files=(geometry layer layer_depthwise layer_winograd recycle weights winograd isa_avx2 isa_avx512 isa_portable tests/passes)
# build NAME FLAG...: the passes and their check as $build/NAME.
build() {
  local name=$1
  shift
  mkdir "$build/$name.o"
  (cd "$build/$name.o" && printf '%s\0' "${files[@]/#/$root/$kernels/}" |
    xargs -0 -P "$(nproc)" -I FILE "${CXX:-c++}" "${flags[@]}" "$@" -c FILE.cpp)
  "${CXX:-c++}" "$@" "$build/$name.o"/*.o -o "$build/$name" -lpthread
}

build tsan -fsanitize=thread
for isa in portable avx2 avx512; do
  GOTORCH_KERNELS_ISA=$isa "$build/tsan"
done
if command -v valgrind >/dev/null; then
  build plain
  for isa in portable avx2; do
    GOTORCH_KERNELS_ISA=$isa valgrind --quiet --error-exitcode=1 "$build/plain"
  done
else
  say "no valgrind: apt-get install valgrind for that part"
fi
