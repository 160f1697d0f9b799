#!/usr/bin/env bash
# Every linter over the tree; run through env.sh. All of them run, then the first failure counts.
# lint.sh --format puts Go and C++ into their form instead of judging it.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
tools=$("$root/scripts/setup/python.sh" test)/bin
failed=()

# check NAME COMMAND...: runs a linter and remembers its failure.
check() {
  local name=$1
  shift
  echo "lint: $name"
  "$@" || failed+=("$name")
}

# on PATTERN... -- COMMAND...: runs COMMAND on the files that git tracks, or would, and that are there.
on() {
  local patterns=() files=() file
  while [ "$1" != -- ]; do
    patterns+=("$1")
    shift
  done
  shift
  while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || files+=("$file")
  done < <(git ls-files -z --cached --others --exclude-standard -- "${patterns[@]}")
  [ ${#files[@]} -eq 0 ] || "$@" "${files[@]}"
}

go_files=('*.go')
cpp_files=('*.c' '*.h' '*.cpp' '*.cu' '*.cuh' ':!*_gen.*')

go_format() {
  local unformatted
  unformatted=$(gofmt -l "$@")
  [ -z "$unformatted" ] || { printf '%s\n' "not gofmt-ed (make format does it):" "$unformatted" && return 1; }
}

cpp_format() {
  local file unformatted=()
  for file; do
    "$tools/clang-format" "$file" | cmp -s - "$file" || unformatted+=("$file")
  done
  [ ${#unformatted[@]} -eq 0 ] ||
    { printf '%s\n' "not clang-format-ed (make format does it):" "${unformatted[@]}" && return 1; }
}

in_module() { (cd "$1" && shift && "$@"); }

if [ "${1:-}" = --format ]; then
  on "${go_files[@]}" -- gofmt -w
  on "${cpp_files[@]}" -- "$tools/clang-format" -i
  exit
fi

check tree scripts/check/tree.sh
check shellcheck on '*.sh' '*.sbatch' .ci/run -- "$tools/shellcheck" --external-sources
check hadolint on Dockerfile -- "$tools/hadolint"
check kubernetes on 'scripts/launch/kubernetes/*/job.yaml' 'scripts/launch/kubernetes/*/volume.yaml' -- "$tools/kubernetes-validate" --strict
check gofmt on "${go_files[@]}" -- go_format
check clang-format on "${cpp_files[@]}" -- cpp_format
for module in . gotorch; do
  check "go vet ($module)" in_module "$module" go vet ./...
  check "golangci-lint ($module)" in_module "$module" golangci-lint run --allow-parallel-runners --config "$root/.golangci.yml" ./...
done

[ ${#failed[@]} -eq 0 ] || {
  printf 'lint failed:'
  printf ' [%s]' "${failed[@]}"
  echo
  exit 1
} >&2
