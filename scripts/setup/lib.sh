# Shared by the set-up scripts (sourced): where things are, what is pinned, how to speak, fail and lock.
# shellcheck shell=bash

export HOME="${HOME:-$(cd ~ && pwd)}"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/orrery

say() { printf 'set-up: %s\n' "$*" >&2; }

die() {
  printf 'set-up failed: %s\n' "$*" >&2
  exit 1
}

# pin NAME: the value, or the lines, that versions.mk gives NAME.
pin() {
  sed -n "s/^${1//./\\.}[[:space:]]*+\{0,1\}=[[:space:]]*//p" "$root/versions.mk"
}

# older A B: whether version A is older than version B.
older() {
  [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# lock NAME: holds a lock in the cache until this script ends, so that two makes do not do the same work at once.
lock() {
  mkdir -p "$cache" || die "cannot write to $cache; set XDG_CACHE_HOME to a folder that can be written"
  exec 9>"$cache/.lock-$1"
  flock --nonblock 9 && return
  say "another make is busy with $1; waiting for it"
  flock 9
}

# room FOLDER MEBIBYTES: fails, in one line, when FOLDER's disk has less room than that.
room() {
  local free
  free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$2" ] || die "$1 has $free MiB of room, $2 MiB are needed; free some or set XDG_CACHE_HOME to another disk"
}

# as_root COMMAND...: runs it as root; sudo forgets proxies, so they are handed over.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
    return
  fi
  local name handed=()
  for name in http_proxy https_proxy ftp_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY DEBIAN_FRONTEND; do
    [ -z "${!name:-}" ] || handed+=("$name=${!name}")
  done
  sudo env "${handed[@]}" "$@"
}

# can_be_root: whether as_root can work here, with or without a question.
can_be_root() {
  [ "$(id -u)" = 0 ] && return
  command -v sudo >/dev/null || return 1
  sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }
}

# debian_mirror: the address that apt has for Debian's main packages.
debian_mirror() {
  local mirror
  # shellcheck disable=SC2016 # apt's own variables
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "main" && !found { print $3; found = 1 }')
  [ -n "$mirror" ] || die "apt has no lists of a Debian mirror; apt-get update"
  printf '%s\n' "$mirror"
}
