#!/usr/bin/env bash
# Shows that make does all set-up by itself: a Debian with nothing but git, make and ca-certificates, made by
# debootstrap, clones the last commit into a path with spaces and runs make train, make train again, and make test.
#   bare.sh [--no-test] [--share] [--tree] [--keep] [--suite NAME]
# --share lends it this machine's libtorch, Go modules and linter (less to fetch); --tree takes the
# working tree in place of the last commit; --keep leaves the chroot behind.
# The machine's own settings for apt, pip, npm, Go, proxies and certificates hold inside too. Needs root.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"

suite=bookworm test=yes share=no tree=no stay=no
while [ $# -gt 0 ]; do
  case $1 in
    --no-test) test=no ;;
    --share) share=yes ;;
    --tree) tree=yes ;;
    --keep) stay=yes ;;
    --suite)
      suite=$2
      shift
      ;;
    *) die "bare.sh: unknown option $1" ;;
  esac
  shift
done

[ "$(id -u)" = 0 ] || die "the check of a bare machine needs root, for chroot; run it as root"
command -v debootstrap >/dev/null || die "missing: debootstrap; apt-get install debootstrap"
mirror=$(debian_mirror)

base=${BARE_DIR:-$cache/tmp}
mkdir -p "$base"
room "$base" 12000
chroot=$(mktemp -d "$base/bare-XXXXXX")
chmod 755 "$chroot"
project="/srv/an orrery" home="/srv/a home"

# Nothing is ever mounted where this process can see it (inside does that, in a namespace of its own), so that removing
# the chroot cannot reach past it; should something be mounted there all the same, it stays.
leave() {
  [ $stay = no ] || { say "the chroot stays in $chroot" && return; }
  ! grep -qF " $chroot" /proc/self/mounts || { say "something is mounted below $chroot; it stays" && return; }
  rm -rf --one-file-system "$chroot"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

clock() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(clock)" 'BEGIN { printf "%.1f", b - a }'; }
results=()

# step NAME COMMAND...: runs it, times it, and ends the check if it fails.
step() {
  local name=$1 start
  shift
  say "bare machine: $name"
  start=$(clock)
  if "$@"; then
    results+=("$(printf '%-45s pass %8s s' "$name" "$(since "$start")")")
  else
    results+=("$(printf '%-45s FAIL %8s s' "$name" "$(since "$start")")")
    printf '%s\n' "${results[@]}"
    exit 1
  fi
}

settings=(HOME="$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CI=true)

# lend_settings: copies what tells apt, pip, Go and TLS where to go, and collects the variables that do.
lend_settings() {
  local name file
  for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/npmrc; do
    [ ! -e "$file" ] || cp -L "$file" "$chroot$file"
  done
  mkdir -p "$chroot$home/.config/pip" "$chroot$home/.config/go" "$chroot/usr/local/share/ca-certificates"
  for file in "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf"; do
    [ ! -e "$file" ] || cp -L "$file" "$chroot$home/.config/pip/pip.conf"
  done
  [ ! -e "$HOME/.npmrc" ] || cp -L "$HOME/.npmrc" "$chroot$home/.npmrc"
  file=$(go env GOENV 2>/dev/null || true)
  [ ! -e "$file" ] || cp -L "$file" "$chroot$home/.config/go/env"
  cp -rL /usr/local/share/ca-certificates/. "$chroot/usr/local/share/ca-certificates/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$chroot/etc/ssl/certs/ca-certificates.crt"
  apt-config dump Acquire >"$chroot/etc/apt/apt.conf.d/90host"
  while IFS= read -r name; do
    settings+=("$name=${!name}")
    [[ $name != *CERT* && $name != *CA_BUNDLE ]] || [ ! -f "${!name}" ] ||
      { mkdir -p "$chroot$(dirname "${!name}")" && cp -L "${!name}" "$chroot${!name}"; }
  done < <(compgen -e | grep -iE '^(https?_proxy|ftp_proxy|no_proxy|all_proxy|PIP_.*|NPM_CONFIG_.*|GO(PROXY|SUMDB|NOSUMDB|NOSUMCHECK|PRIVATE|FLAGS|INSECURE)|SSL_CERT_.*|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|GIT_SSL_CAINFO)$')
}

lend_cache() {
  mkdir -p "$chroot$home/.cache/orrery" "$chroot$home/go/pkg"
  cp -a --reflink=auto "$cache"/libtorch-* "$cache/bin" "$chroot$home/.cache/orrery/"
  cp -a --reflink=auto "$(go env GOMODCACHE)" "$chroot$home/go/pkg/"
}

# inside COMMAND...: runs it in the project's folder in the chroot, without standard input.
# shellcheck disable=SC2016 # the inner shells' parameters
inside() {
  unshare --mount --propagation private sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" && mount --rbind /dev "$1/dev" && exec chroot "$@"' sh \
    "$chroot" /usr/bin/env -i "${settings[@]}" "${as[@]}" sh -c 'cd "$1" && shift && exec "$@"' sh "$project" "$@" </dev/null
}
as=()

make_chroot() {
  debootstrap --variant=minbase --include=git,make,ca-certificates "$suite" "$chroot" "$mirror" >"$chroot.log" 2>&1 ||
    { tail -n 20 "$chroot.log" && return 1; }
  rm -f "$chroot.log"
}

fetch_project() {
  git clone --quiet --no-hardlinks "$root" "$chroot$project" || return 1
  [ $tree = no ] || (cd "$root" && git ls-files -z --cached --others --exclude-standard |
    tar --null --ignore-failed-read -cf - -T - 2>/dev/null) | tar -xf - -C "$chroot$project"
}

# An ordinary user without sudo is told in one line what to install.
told_what_is_missing() {
  local as=(setpriv --reuid 65534 --regid 65534 --clear-groups) said
  ! said=$(inside make setup 2>&1) || { echo "make setup went through without root"; return 1; }
  printf '%s\n' "$said"
  [ "$(grep -c '^set-up failed: missing: .*g++.*cmake.*apt-get install' <<<"$said")" = 1 ]
}

# The half of the large wheel that a killed make leaves is what the next one begins with.
goes_on() {
  # shellcheck disable=SC2016 # the inner shell's parameters
  inside sh -c '
    setsid make setup >/tmp/first 2>&1 &
    first=$!
    half() { [ "$(stat -c %s "$HOME"/.cache/orrery/wheels/torch-*.part 2>/dev/null || echo 0)" -gt 52428800 ]; }
    until half; do
      kill -0 $first 2>/dev/null || { cat /tmp/first; echo "make setup ended before it could be broken off"; exit 1; }
      sleep 0.1
    done
    kill -KILL "-$first"
    make setup >/tmp/second 2>&1 || { cat /tmp/second; exit 1; }
    grep "going on after" /tmp/second'
}

trained() {
  local run
  for run in "$chroot$project"/runs/*/; do
    [ -s "$run/result.json" ] && [ -s "$run/report.html" ] && [ -s "$run/model.safetensors" ] ||
      { echo "$run lacks result.json, report.html or model.safetensors"; return 1; }
    cat "$run/result.json"
  done
}

# Judged by processor time, which a busy machine stretches less than the clock's.
quick() {
  local times TIMEFORMAT='%U %S %R'
  times=$({ time inside make setup >/dev/null 2>&1; } 2>&1) || return 1
  echo "set-up, when all is there (user, system, clock): $times"
  awk '{ exit !($1 + $2 < 2) }' <<<"$times"
}

step "debootstrap $suite" make_chroot
lend_settings
mkdir -p "$chroot$home"
[ $share = no ] || lend_cache
step "git clone" fetch_project
step "without root: one line says what is missing" told_what_is_missing
[ $share = yes ] || step "a download that was killed goes on" goes_on
step "make train, the first" inside make train
step "its run folder" trained
step "set-up again, under 2 s of processor time" quick
[ $test = no ] || step "make test" inside make test
printf '%s\n' "${results[@]}"
