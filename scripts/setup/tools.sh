#!/usr/bin/env bash
# Builds the programs that the tests and linters run, once for each pinned version and Go, into the user's cache; run
# through env.sh, which puts them last on PATH.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"

go_version=$(cd / && go env GOVERSION)
mkdir -p "$cache/bin"
while read -r program; do
  name=${program%@*} name=${name##*/}
  key="${program##*@} $go_version"
  ready() { [ "$(cat "$cache/bin/$name.key" 2>/dev/null)" = "$key" ] && [ -x "$cache/bin/$name" ]; }
  ! ready || continue
  lock tools
  ! ready || continue
  say "$name ${program##*@}: building it, once; this takes a few minutes"
  (cd / && GOFLAGS=-trimpath GOBIN="$cache/bin" go install -p "$(nproc)" "$program") >"$cache/$name.log" 2>&1 || {
    tail -n 5 "$cache/$name.log" >&2
    die "$name could not be built; the whole output is in $cache/$name.log"
  }
  printf '%s\n' "$key" >"$cache/bin/$name.key"
done < <(pin GO_TOOLS)
