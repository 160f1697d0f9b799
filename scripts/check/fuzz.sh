#!/usr/bin/env bash
# Runs every fuzz test of both modules for a while each: fuzz.sh [TIME]; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
for module in . gotorch; do
  cd "$root/$module"
  grep -rlE --include='*_test.go' '^func Fuzz' . | { [ "$module" = . ] && grep -v '^\./gotorch/' || cat; } | while read -r file; do
    sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file" | while read -r name; do
      echo "fuzz: $module $(dirname "$file") $name"
      go test -run '^$' -fuzz "^$name\$" -fuzztime "${1:-30s}" -parallel "$(nproc)" "$(dirname "$file")"
    done
  done
done
