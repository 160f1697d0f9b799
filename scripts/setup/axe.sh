#!/usr/bin/env bash
# Fetches axe-core (MPL-2.0, by Deque), which the tests of our pages check them for accessibility with, into the user's cache.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"

read -r package hash < <(pin AXE_CORE)
program=$cache/${package/@/-}/axe.min.js
[ ! -f "$program" ] || exit 0
lock axe
[ ! -f "$program" ] || exit 0
say "$package, from npm"
work=$(mktemp -d "$cache/axe.XXXXXX")
trap 'rm -rf "$work"' EXIT
npm pack "$package" --silent --pack-destination "$work" >/dev/null ||
  die "npm could not fetch $package; check the network or npm's registry setting, then run make again"
printf '%s  %s\n' "$hash" "$work"/axe-core-*.tgz | sha256sum --check --quiet || die "$package is not the one whose hash is in versions.mk"
tar -xzf "$work"/axe-core-*.tgz -C "$work" package/axe.min.js
mkdir -p "${program%/*}"
mv "$work/package/axe.min.js" "$program"
