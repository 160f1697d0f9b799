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
# The stamp is written last and holds the pins: a folder with another stamp, or none, is not finished or not this one.
ready() { [ "$(cat "$folder/.orrery" 2>/dev/null)" = "$wheels" ] && [ -e "$folder/torch/lib/libtorch_cpu.so" ]; }
! ready || found "$version" "$folder/torch"

machine=$(uname -m)
case $(uname -s)-$machine in
  Linux-x86_64 | Linux-aarch64) ;;
  *) die "there is no libtorch wheel for $(uname -s) on $machine; set LIBTORCH to a folder with libtorch $oldest or later" ;;
esac

lock "libtorch-$version"
! ready || found "$version" "$folder/torch"
python=$("$here/python.sh" fetch)/bin/python
kept=$cache/wheels
mkdir -p "$kept" "$cache/tmp"
room "$cache" 3000
platforms=()
for tag in manylinux_2_28 manylinux_2_25 manylinux_2_17 manylinux2014; do
  platforms+=(--platform "${tag}_$machine")
done
options=(--no-deps --only-binary :all: --python-version "$(pin LIBTORCH_PYTHON)" --implementation cp
  --abi "cp$(pin LIBTORCH_PYTHON)" --abi none "${platforms[@]}")
# One wheel at a time, so that what has arrived stays when a later one breaks off. Ours goes on with the half of a wheel
# that an earlier make left; pip alone knows passwords and the like. Both check the hashes.
while read -r wheel; do
  say "libtorch $version: ${wheel%% *}$([ "${wheel%%=*}" != torch ] || echo ', about 540 MB')"
  asked_for=$cache/tmp/wheel-$$.txt
  printf '%s\n' "$wheel" >"$asked_for"
  TMPDIR=$cache/tmp "$python" "$here/wheel.py" "$kept" "$asked_for" "${options[@]}" </dev/null ||
    TMPDIR=$cache/tmp "$python" -m pip download --disable-pip-version-check --require-hashes --resume-retries 20 \
      "${options[@]}" --dest "$kept" -r "$asked_for" >&2 </dev/null ||
    die "could not fetch ${wheel%% *} with pip; run make again to go on, or set LIBTORCH to a folder with libtorch $version"
  rm -f "$asked_for"
done <<<"$wheels"

say "libtorch $version: unpacking into $folder"
rm -rf "$cache"/tmp/libtorch-*
new=$cache/tmp/libtorch-$$
"$python" - "$new" "$kept" "$wheels" <<'PYTHON'
# Unpacks headers, libraries and licences, which is all of a wheel that we use. Real folders: torch's libraries find
# the CUDA ones by ../../nvidia/cu13/lib, which a link would lead elsewhere.
import glob, os, sys, zipfile
target, kept, wheels = sys.argv[1:]
wanted = ("torch/include/", "torch/lib/", "torch/share/", "torch/version.py", "nvidia/")
for line in wheels.splitlines():
    name, version = line.split()[0].split("==")
    (path,) = glob.glob(os.path.join(glob.escape(kept), f"{name.replace('-', '_')}-{version}-*.whl"))
    with zipfile.ZipFile(path) as wheel:
        names = [n for n in wheel.namelist() if n.startswith(wanted) or ".dist-info/" in n]
        wheel.extractall(target, names)
PYTHON
printf '%s\n' "$wheels" >"$new/.orrery"
[ "$(version_of "$new/torch")" = "$version" ] || die "the unpacked wheel is not libtorch $version; see $new"
sync -f "$new"
if [ -e "$folder" ]; then
  mv -T "$folder" "$cache/tmp/libtorch-old-$$"
fi
mv -T "$new" "$folder"
rm -rf "$cache/tmp/libtorch-old-$$"
while read -r wheel; do
  wheel=${wheel%% *}
  rm -f "$kept/$(tr - _ <<<"${wheel%%=*}")-${wheel##*=}-"*.whl
done <<<"$wheels"
found "$version" "$folder/torch"
