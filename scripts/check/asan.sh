#!/usr/bin/env bash
# gotorch's tests against the native library built with AddressSanitizer; run through env.sh with CGT_ASAN=1.
# Go and libtorch are not built with it, so it sees our own C++ and every heap block; leaks are gotorch's own tests' concern.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root/gotorch"
runtime=$("${CXX:-c++}" -print-file-name=libasan.so)
go test -buildvcs=false -count=1 -exec "env LD_PRELOAD=$runtime ASAN_OPTIONS=detect_leaks=0:abort_on_error=1" ./...
