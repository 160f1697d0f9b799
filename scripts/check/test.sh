#!/usr/bin/env bash
# Every test: C++, both Go modules, Python; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
echo "testing against libtorch $TORCH in $TORCH_DIR"
(cd gotorch && go test -buildvcs=false ./...)
go test -buildvcs=false ./...
