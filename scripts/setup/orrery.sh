#!/usr/bin/env bash
# Builds bin/orrery with its version and commit inside; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
go build -trimpath -buildvcs=false -ldflags "-X main.version=$version -X main.commit=$commit" -o bin/ ./cmd/...
