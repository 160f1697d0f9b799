#!/usr/bin/env bash
# Installs what the distribution has to give, if it is missing: system.sh build|test|emulator|image
# Asks for the thing and not for the package, so a compiler from elsewhere serves too.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"

missing=()

# need PACKAGE TEST...: notes PACKAGE when TEST fails.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

header() { printf '#include <stddef.h>\n#include <stdio.h>\n#include <%s>\n' "$1" | c++ -E -x c++ - -o /dev/null; }
browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

need g++ command -v c++
need gcc command -v cc
need make command -v make
need cmake command -v cmake
need git command -v git
need ca-certificates test -e /etc/ssl/certs
need libturbojpeg0-dev header turbojpeg.h
need python3 command -v python3
need python3-venv python3 -c 'import ensurepip, venv'
if [ "${1:-build}" = test ]; then
  # Tests that let system calls fail.
  need strace command -v strace
  need npm command -v npm
  # Ubuntu's package of that name is a shim for snap, which a container lacks; the page tests say so and skip there.
  need dataset-fashion-mnist test -e /usr/share/datasets/fashion-mnist
  grep -qs '^ID=ubuntu' /etc/os-release || need chromium browser
fi
if [ "${1:-}" = emulator ]; then
  need qemu-user command -v qemu-x86_64
fi
if [ "${1:-}" = image ]; then
  need buildah command -v buildah
  need debootstrap command -v debootstrap
fi

[ ${#missing[@]} -gt 0 ] || exit 0
how="apt-get install ${missing[*]}"
command -v apt-get >/dev/null ||
  die "missing: ${missing[*]} (Debian's names); install them with this system's own package manager"
can_be_root || die "missing: ${missing[*]}; there is neither root nor sudo here, so let an administrator run: $how"

say "$how"
lock system
export DEBIAN_FRONTEND=noninteractive
options=(-y --no-install-recommends -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0)
as_root apt-get update -qq >&2 || say "apt-get update reported errors; trying with the lists there are"
as_root apt-get install -qq "${options[@]}" "${missing[@]}" >&2 || die "could not install: ${missing[*]}; try: $how"
