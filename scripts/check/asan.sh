#!/usr/bin/env bash
# gotorch's tests against the native library built with AddressSanitizer; run through env.sh with CGT_ASAN=1.
# Go and libtorch are not built with it, so it sees our own C++ and every heap block; leaks are gotorch's own tests' concern, and
# tests of resident memory are left out, because the sanitizer holds back what is freed.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root/gotorch"
# libstdc++ comes with it: Go's programs load none, and the sanitizer looks for the real __cxa_throw when it starts.
runtime="$("${CXX:-c++}" -print-file-name=libasan.so) $("${CXX:-c++}" -print-file-name=libstdc++.so.6)"
# Allocations that are too large must fail as they do without it: tests ask for some.
options=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
go test -buildvcs=false -count=1 -skip 'TestMemoryStaysFlat|TestForgottenTensorsAreCollected' \
  -exec "env 'LD_PRELOAD=$runtime' ASAN_OPTIONS=$options" ./...
