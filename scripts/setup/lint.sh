#!/usr/bin/env bash
# Builds golangci-lint, once for each pinned version and Go, into the user's cache; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"

version=$(pin GOLANGCI_LINT)
key="$version $(cd / && go env GOVERSION)"
binary=$cache/bin/golangci-lint
ready() { [ "$(cat "$binary.key" 2>/dev/null)" = "$key" ] && [ -x "$binary" ]; }
! ready || exit 0
lock golangci-lint
! ready || exit 0
say "golangci-lint $version: building it, once; this takes a few minutes"
mkdir -p "$cache/bin"
(cd / && GOFLAGS=-trimpath GOBIN="$cache/bin" go install -p "$(nproc)" \
  "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version") >"$cache/golangci-lint.log" 2>&1 || {
  tail -n 5 "$cache/golangci-lint.log" >&2
  die "golangci-lint $version could not be built; the whole output is in $cache/golangci-lint.log"
}
printf '%s\n' "$key" >"$binary.key"
