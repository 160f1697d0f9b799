#!/usr/bin/env bash
# The tests of both Go modules, with the arguments of go test; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
echo "testing against libtorch $TORCH in $TORCH_DIR"
# The binary that tests of package live watch while it trains.
scripts/setup/orrery.sh
export ORRERY_BIN=$root/bin/orrery
# Go's cache of test results knows nothing of the native library, of which there are several builds: -count=1.
# One package at a time: libtorch takes every core, and a browser beside it waits too long for its page.
failed=0
(cd gotorch && go test -p 1 -buildvcs=false -count=1 "$@" ./...) || failed=1
go test -p 1 -buildvcs=false -count=1 "$@" ./... || failed=1
exit $failed
