#!/usr/bin/env bash
# Every linter over the tree; run through env.sh. All of them run, then the first failure counts.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
python=$("$root/scripts/setup/python.sh" test)/bin
failed=()

# check NAME COMMAND...: runs a linter and remembers its failure.
check() {
  local name=$1
  shift
  echo "lint: $name"
  "$@" || failed+=("$name")
}

# files PATTERN...: those git tracks or would track, NUL between them.
files() { git ls-files -z --cached --others --exclude-standard -- "$@"; }

go_format() {
  local unformatted
  unformatted=$(files '*.go' | xargs -0 -r gofmt -l)
  [ -z "$unformatted" ] || { printf 'not gofmt-ed: %s\n' $unformatted && return 1; }
}

in_module() { (cd "$1" && shift && "$@"); }

check tree scripts/check/tree.sh
check gofmt go_format
check shellcheck bash -c 'git ls-files -z --cached --others --exclude-standard -- "*.sh" .ci/run | xargs -0 -r "$0" -x' "$python/shellcheck"
check clang-format bash -c 'git ls-files -z --cached --others --exclude-standard -- "*.c" "*.h" "*.cpp" "*.cu" "*.cuh" | xargs -0 -r "$0" --dry-run --Werror' "$python/clang-format"
for module in . gotorch; do
  check "go vet ($module)" in_module "$module" go vet ./...
  check "golangci-lint ($module)" in_module "$module" golangci-lint run --config "$root/.golangci.yml" ./...
done

[ ${#failed[@]} -eq 0 ] || {
  printf 'lint failed: %s\n' "${failed[*]}" >&2
  exit 1
}
