#!/usr/bin/env bash
# gotorch's tests against the native library built with AddressSanitizer and UndefinedBehaviorSanitizer; run through
# env.sh with CGT_ASAN=1. Arguments go to go test.
# Go and libtorch are not built with them, so they see our own C++ and every heap block; leaks are gotorch's own tests' concern, and
# tests of resident memory are left out, because the sanitizer holds back what is freed.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root/gotorch"
# libstdc++ comes with it: Go's programs load none, and the sanitizer looks for the real __cxa_throw when it starts.
runtime="$("${CXX:-c++}" -print-file-name=libasan.so) $("${CXX:-c++}" -print-file-name=libstdc++.so.6)"
# Allocations that are too large must fail as they do without it: tests ask for some.
sanitize="ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
# Every instruction set has its own code: the best one of this machine runs all tests, the others those of the kernels.
go test -p 1 -buildvcs=false -count=1 -timeout 1h -skip 'TestMemoryStaysFlat|TestForgottenTensorsAreCollected|TestGCNeedsNoCollector' \
  -exec "env 'LD_PRELOAD=$runtime' $sanitize" "$@" ./...
for isa in avx2 portable; do
  go test -buildvcs=false -count=1 -timeout 1h -exec "env 'LD_PRELOAD=$runtime' $sanitize GOTORCH_KERNELS_ISA=$isa" ./nn
done
