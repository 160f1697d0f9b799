#!/usr/bin/env bash
# Builds libcgotorch.so with CMake into $ORRERY_LIB, build/torch-$TORCH, and points lib at it; run through env.sh.
# CMake decides what to compile anew; only another libtorch, compiler or list of sources makes it start afresh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"

source=$root/gotorch/native
output=$ORRERY_LIB
tree=$output/cmake
mkdir -p "$output"
exec 9>"$output/.lock"
flock 9

flags=(-DCMAKE_BUILD_TYPE="${BUILD_TYPE:-Release}" -DTORCH_DIR="$TORCH_DIR" -DOUTPUT_DIR="$output")
[ -z "${CGT_ASAN:-}" ] || flags+=(-DCGT_ASAN=ON)
key=$(printf '%s\n' "${flags[@]}" "${CXX:-}${CXXFLAGS:-}" && cd "$source" && find . -type f -not -name '*.h' | LC_ALL=C sort)
if [ "$(cat "$tree/.key" 2>/dev/null)" != "$key" ]; then
  rm -f "$tree/CMakeCache.txt"
  cmake -S "$source" -B "$tree" "${flags[@]}" >"$output/cmake.log" 2>&1 || {
    tail -n 20 "$output/cmake.log" >&2
    die "CMake could not configure gotorch/native; the whole output is in $output/cmake.log"
  }
  printf '%s\n' "$key" >"$tree/.key"
fi
cmake --build "$tree" --parallel "$(nproc)" 9>&-
[ -n "${CGT_ASAN:-}" ] || ln -sfn "build/torch-$TORCH" "$root/lib"
