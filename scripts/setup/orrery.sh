#!/usr/bin/env bash
# Builds bin/orrery with its version and commit inside; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

# A build without git's folder, as a container's, is told what it builds.
version=${ORRERY_VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
commit=${ORRERY_COMMIT:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
go build -trimpath -buildvcs=false -ldflags "-X main.version=$version -X main.commit=$commit" -o bin/ ./cmd/...
