#!/usr/bin/env bash
# Lays out the wheels that versions.mk pins as PINS in FOLDER, unless they are there already:
#   wheels.sh FOLDER PINS TITLE PREFIX...
# Of each wheel it keeps its licence and what begins with one of the PREFIXes. $ONLY, when it is set, names the packages among the
# pins that are wanted, and $ROOM the MiB that this takes.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/setup/lib.sh
. "$here/lib.sh"

folder=$1 name=$2 title=$3
shift 3
wheels=$(pin "$name")
[ -z "${ONLY+set}" ] || wheels=$(awk -F == -v only=" $ONLY " 'index(only, " " $1 " ")' <<<"$wheels")
[ -n "$wheels" ] || exit 0
# The stamp is written last and holds the pins: a folder with another stamp, or none, is not finished or not this one.
ready() { [ "$(cat "$folder/.orrery" 2>/dev/null)" = "$wheels" ]; }
! ready || exit 0

machine=$(uname -m)
case $(uname -s)-$machine in
  Linux-x86_64 | Linux-aarch64) ;;
  *) die "there is no wheel of $title for $(uname -s) on $machine; for libtorch set LIBTORCH to a folder that has it" ;;
esac

lock "${folder##*/}"
! ready || exit 0
python=$("$here/python.sh" fetch)/bin/python
kept=$cache/wheels
mkdir -p "$kept" "$cache/tmp"
room "$cache" "${ROOM:-3000}"
platforms=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_25 manylinux_2_18 manylinux_2_17 manylinux2014 manylinux_2_12; do
  platforms+=(--platform "${tag}_$machine")
done
options=(--no-deps --only-binary :all: --python-version "$(pin LIBTORCH_PYTHON)" --implementation cp
  --abi "cp$(pin LIBTORCH_PYTHON)" --abi none "${platforms[@]}")
# One wheel at a time, so that what has arrived stays when a later one breaks off. Ours goes on with the half of a wheel
# that an earlier make left; pip alone knows passwords and the like. Both check the hashes.
while read -r wheel; do
  say "$title: ${wheel%% *}$([ "${wheel%%=*}" != torch ] || echo ', about 540 MB')"
  asked_for=$cache/tmp/wheel-$$.txt
  printf '%s\n' "$wheel" >"$asked_for"
  TMPDIR=$cache/tmp "$python" "$here/wheel.py" "$kept" "$asked_for" "${options[@]}" </dev/null ||
    TMPDIR=$cache/tmp "$python" -m pip download --disable-pip-version-check --require-hashes --resume-retries 20 \
      "${options[@]}" --dest "$kept" -r "$asked_for" >&2 </dev/null ||
    die "could not fetch ${wheel%% *} with pip; run make again to go on$([ "${wheel%%=*}" != torch ] || echo ", or set LIBTORCH to a folder with $title")"
  rm -f "$asked_for"
done <<<"$wheels"

say "$title: unpacking into $folder"
rm -rf "$cache/tmp/${folder##*/}"-*
new=$cache/tmp/${folder##*/}-$$
"$python" - "$new" "$kept" "$wheels" "$@" <<'PYTHON'
# Real folders: torch's libraries find the CUDA ones by ../../nvidia/cu13/lib, which a link would lead elsewhere.
import glob, os, sys, zipfile
target, kept, wheels, *wanted = sys.argv[1:]
for line in wheels.splitlines():
    name, version = line.split()[0].split("==")
    (path,) = glob.glob(os.path.join(glob.escape(kept), f"{name.replace('-', '_')}-{version}-*.whl"))
    with zipfile.ZipFile(path) as wheel:
        for member in wheel.infolist():
            if member.filename.startswith(tuple(wanted)) or ".dist-info/" in member.filename:
                made = wheel.extract(member, target)
                if member.external_attr >> 16 & 0o111 and not member.is_dir():  # programs, such as nvcc
                    os.chmod(made, 0o755)
PYTHON
printf '%s\n' "$wheels" >"$new/.orrery"
sync -f "$new"
if [ -e "$folder" ]; then
  mv -T "$folder" "$new-old"
fi
mv -T "$new" "$folder"
rm -rf "$new-old"
while read -r wheel; do
  wheel=${wheel%% *}
  rm -f "$kept/$(tr - _ <<<"${wheel%%=*}")-${wheel##*=}-"*.whl
done <<<"$wheels"
