#!/usr/bin/env bash
# Finds libtorch, fetching the pinned wheel if need be, and prints "VERSION FOLDER": libtorch.sh [VERSION]
# The order: $LIBTORCH; a Python torch that can be imported; the wheel pinned in versions.mk, unpacked in the cache.
# With VERSION only that version will do: a Python torch of another one is passed over, $LIBTORCH of another one is an error.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/setup/lib.sh
. "$here/lib.sh"

asked=${1:-}
oldest=$(pin LIBTORCH_OLDEST)

# version_of FOLDER: the version of the libtorch in FOLDER, without its "+cu130"; nothing if there is none.
version_of() {
  local header=$1/include/torch/headeronly/version.h
  [ -e "$header" ] || header=$1/include/torch/csrc/api/include/torch/version.h
  [ -e "$header" ] && [ -e "$1/lib/libtorch_cpu.so" ] || return 0
  sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\|PATCH\) //p' "$header" | paste -sd .
}

found() {
  printf '%s %s\n' "$1" "$2"
  exit
}

if [ -n "${LIBTORCH:-}" ]; then
  folder=$LIBTORCH
  [ -e "$folder/lib/libtorch_cpu.so" ] || [ ! -d "$folder/torch/lib" ] || folder=$folder/torch
  version=$(version_of "$folder")
  expected="expected a folder with include/ and lib/libtorch_cpu.so of version ${asked:-$oldest or later}"
  [ -n "$version" ] || die "LIBTORCH=$LIBTORCH: $expected, found none there; correct it or unset LIBTORCH"
  if [ -n "$asked" ] && [ "$version" != "$asked" ] || older "$version" "$oldest"; then
    die "LIBTORCH=$LIBTORCH: $expected, found $version; unset LIBTORCH to have the right one fetched"
  fi
  found "$version" "$(cd "$folder" && pwd)"
fi

# Looked up without importing it, which would take seconds.
folder=$(cd / && python3 -c '
import importlib.util, os
spec = importlib.util.find_spec("torch")
if spec and spec.origin: print(os.path.dirname(spec.origin))' 2>/dev/null || true)
if [ -n "$folder" ]; then
  version=$(version_of "$folder")
  if [ -n "$version" ] && { [ -z "$asked" ] || [ "$version" = "$asked" ]; }; then
    older "$version" "$oldest" || found "$version" "$folder"
    say "the Python torch in $folder is $version, older than $oldest; fetching our own"
  fi
fi

version=${asked:-$(pin LIBTORCH)}
wheels=$(pin "WHEELS_$version")
[ -n "$wheels" ] ||
  die "versions.mk pins no libtorch $version (it pins $(pin LIBTORCH) and $(pin LIBTORCH_NEWEST)); set LIBTORCH to a folder that has it"
folder=$cache/libtorch-$version
# Headers, libraries and licences are all of a wheel that we use.
"$here/wheels.sh" "$folder" "WHEELS_$version" "libtorch $version" torch/include/ torch/lib/ torch/share/ torch/version.py nvidia/
[ "$(version_of "$folder/torch")" = "$version" ] || die "the unpacked wheel is not libtorch $version; see $folder"
found "$version" "$folder/torch"
