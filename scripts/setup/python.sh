#!/usr/bin/env bash
# Makes one of our own Python environments and prints its path: python.sh fetch|test|peers|launch
# fetch has only pip, test what the tests and linters need, peers the frameworks we are measured against, launch the
# platforms that launch files are for.
# Which index, proxy and certificates pip uses is the user's own pip configuration.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"

name=$1
pins=$(pin "PYTHON_${name^^}")
[ -n "$pins" ] || die "versions.mk has no pins for the Python environment '$name'"
venv=$cache/python-$name
stamp=$venv/.orrery
[ "$name" != peers ] || venv=$cache/peers stamp=$cache/peers/.orrery

ready() { [ "$(cat "$stamp" 2>/dev/null)" = "$pins" ] && "$venv/bin/python" -c '' 2>/dev/null; }

if ! ready; then
  lock "python-$name"
  if ! ready; then
    say "Python environment '$name': ${pins//$'\n'/ }"
    [ "$name" != peers ] || room "$cache" 7000
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$venv" >&2 ||
      die "python3 -m venv does not work here; on Debian and Ubuntu: apt-get install python3-venv"
    mkdir -p "$cache/tmp"
    mapfile -t wanted <<<"$pins"
    TMPDIR=$cache/tmp "$venv/bin/python" -m pip install --disable-pip-version-check --quiet "${wanted[@]}" >&2 ||
      die "pip could not install ${pins//$'\n'/ }; check the network or pip's index settings, then run make again"
    printf '%s\n' "$pins" >"$stamp"
  fi
fi
printf '%s\n' "$venv"
