#!/usr/bin/env bash
# Runs every fuzz test of both modules for a while each: fuzz.sh [TIME]; run through env.sh.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
while IFS=: read -r file name; do
  module=.
  [[ $file != gotorch/* ]] || module=gotorch
  package=./$(realpath --relative-to="$module" "$(dirname "$file")")
  echo "fuzz: $file $name"
  (cd "$module" && go test -run '^$' -fuzz "^$name\$" -fuzztime "${1:-30s}" -parallel "$(nproc)" "$package")
done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/func //' | sort)
