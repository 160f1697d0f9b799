#!/usr/bin/env bash
# Builds the container image for real, without an engine's daemon: buildah, in a chroot, on a Debian made by
# debootstrap; then any user trains in it and orrery doctor passes.
#   image.sh [--gpu] [--share] [--keep]
# It is the CPU image, or with --gpu the one for GPUs, whose base then has none of CUDA's libraries; of a GPU it is seen that
# they load as far as the driver, which is not there. --share lends the build this machine's libtorch and Go modules (less to fetch); --keep leaves the image behind.
# The machine's own settings for apt, pip, Go and certificates are mounted while it builds and are not in the image. Needs root.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"

device=cpu share=no stay=no
for option; do
  case $option in
    --gpu) device=cuda ;;
    --share) share=yes ;;
    --keep) stay=yes ;;
    *) die "image.sh: unknown option $option" ;;
  esac
done
[ "$(id -u)" = 0 ] || die "the check of the image needs root, for chroot; run it as root"

mkdir -p "$cache/tmp"
room "$cache/tmp" "$([ $device = cpu ] && echo 12000 || echo 26000)"
work=$(mktemp -d "$cache/tmp/image-XXXXXX")
lent=$work/lent home=/root user=12345:54321
# Layers are written to the temporary folder before they are stored.
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
b() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

leave() {
  b umount --all >/dev/null 2>&1 || true
  [ $stay = no ] || { say "the image stays in $work/storage" && return; }
  ! grep -F " $work" /proc/self/mounts || { say "the above is still mounted below $work; it stays" && return; }
  rm -rf --one-file-system "$work"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

volumes=()
# lend NAME PLACE: mounts $lent/NAME, or the folder of that full name, at PLACE of each step of the build, read-only.
lend() {
  local from=$1
  [[ $from = /* ]] || from=$lent/$from
  volumes+=(--volume "$from:$2:ro")
}

lend_settings() {
  local name
  mkdir -p "$lent"
  apt-config dump Acquire >"$lent/apt"
  lend apt /etc/apt/apt.conf.d/90host
  # What pip is told by files and by variables, as one file.
  {
    echo "[global]"
    python3 -m pip config list | sed -n "s/^\(global\|:env:\)\.\([a-z-]*\)='\(.*\)'$/\2 = \3/p" | grep -vE '^(cert|find-links) ' | sort -u
    echo "cert = /etc/ssl/certs/ca-certificates.crt"
  } >"$lent/pip"
  lend pip /etc/pip.conf
  for name in GOPROXY GOSUMDB GONOSUMDB GOPRIVATE GONOPROXY GOINSECURE; do
    printf '%s=%s\n' "$name" "$(go env "$name")"
  done | grep -v '=$' >"$lent/go"
  lend go "$home/.config/go/env"
  # The base has the package already, so that nothing replaces the file this is mounted over.
  lend /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
  [ $share = no ] || {
    lend "$cache/libtorch-$(pin LIBTORCH)" "/var/cache/orrery/libtorch-$(pin LIBTORCH)"
    lend "$(go env GOMODCACHE)" "$home/go/pkg/mod"
  }
}

make_base() {
  local base
  debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base" "$(debian_mirror)" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" && return 1; }
  rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
  base=$(b from scratch)
  b add --quiet "$base" "$work/base" / >/dev/null
  b config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$base"
  b commit --quiet --format docker --rm "$base" orrery-base >/dev/null
}

build() {
  b build --isolation chroot --network host --format docker --layers=false "${volumes[@]}" \
    --build-arg DEVICE=$device --build-arg BASE=localhost/orrery-base --build-arg "VERSION=$(git -C "$root" describe --tags --always --dirty)" \
    --build-arg "COMMIT=$(git -C "$root" rev-parse HEAD)" --tag orrery "$root"
}

# What is in the image besides its base: our folder, and the empty one to work in.
nothing_else() {
  local more
  more=$(diff <(cd "$work/base" && find . -xdev | sort) <(cd "$image" && find . -xdev | sort) |
    sed -n 's/^> //p' | grep -vE '^\./(opt/orrery($|/)|workspace$)' || true)
  # The places that buildah itself mounts things at.
  more=$(grep -vxE '\./(etc/(hosts|resolv\.conf)|run/(\.containerenv|secrets)|proc|sys|dev(/.*)?)' <<<"$more" || true)
  [ -z "$more" ] || { printf 'also in the image: %s\n' "$more" && return 1; }
  [ -s "$image/opt/orrery/LICENSE" ] && [ -s "$image/opt/orrery/NOTICE.md" ] && [ -n "$(ls "$image"/opt/orrery/licenses/torch-*)" ] ||
    { echo "a licence is missing" && return 1; }
}

# configured: the image's own word on how it is to be run.
configured() {
  b inspect --type image orrery >"$work/config.json"
  python3 - "$work/config.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))["Docker"]["config"]
want = {"Entrypoint": ["/opt/orrery/bin/orrery"], "WorkingDir": "/workspace", "StopSignal": "SIGTERM", "User": "65532:65532"}
wrong = {k: config.get(k) for k, v in want.items() if config.get(k) != v}
if not config.get("Healthcheck", {}).get("Test"):
    wrong["Healthcheck"] = None
if not config.get("Labels", {}).get("org.opencontainers.image.revision"):
    wrong["Labels"] = config.get("Labels")
names = sorted(variable.split("=")[0] for variable in config.get("Env", []))
if names != ["HOME", "PATH"]:
    wrong["Env"] = names
sys.exit(f"wrong in the image: {wrong}" if wrong else 0)
PYTHON
}

# orrery ARGUMENT...: the image's entry point in a container of it, as a user nobody has heard of.
orrery() { b run --isolation chroot --network host --user "$user" "$container" -- /opt/orrery/bin/orrery "$@"; }

# loads_cuda: everything but the driver's own library is there, and libtorch's half for GPUs and ours load and look for a GPU.
loads_cuda() {
  local library found
  # A line for each library, and one for each that it is linked to.
  found=$(b run --isolation chroot "$container" -- find /opt/orrery -name '*.so*' -exec ldd {} +) || return 1
  for library in libcgotorch_cuda.so libtorch_cuda.so libcublasLt.so libcudnn_ops.so libnccl.so libnvjpeg.so; do
    grep -q "^/opt/orrery/.*/$library.*:$" <<<"$found" || { echo "the image has no $library" && return 1; }
  done
  ! grep 'not found' <<<"$found" | grep -v 'libcuda.so.1 => not found' || return 1
  found=$(b run --isolation chroot --user "$user" --env GOTORCH_CUDA=load "$container" -- /opt/orrery/bin/orrery doctor) || return 1
  printf '%s\n' "$found"
  # Our library's own words, which it has from the CUDA runtime it is linked to.
  grep -qF '; driver: no NVIDIA driver is loaded on this machine' <<<"$found"
}

trains() {
  orrery planets --count 80 set || return 1
  orrery train set --epochs 1 -b 16 --item-size 64 --size 48 -o run || return 1
  local file
  for file in result.json model.safetensors report.html; do
    [ -s "$image/workspace/run/$file" ] || { echo "the run has no $file" && return 1; }
  done
  orrery predict run set/earth || return 1
  [ "$(stat -c %u:%g "$image/workspace/run")" = "$user" ]
}

results=()
step() {
  local name=$1 start=$SECONDS
  shift
  say "image: $name"
  if "$@"; then
    results+=("$(printf '%-45s pass %6d s' "$name" $((SECONDS - start)))")
  else
    printf '%s\n' ${results[@]+"${results[@]}"} "$(printf '%-45s FAIL %6d s' "$name" $((SECONDS - start)))"
    exit 1
  fi
}

lend_settings
step "a base by debootstrap" make_base
step "the image by buildah" build
container=$(b from orrery) image=$(b mount "$container")
step "nothing else in it, and every licence" nothing_else
step "entry point, user, signal, health, labels" configured
step "orrery doctor as $user" orrery doctor
[ $device = cpu ] || step "the GPU's libraries, as far as the driver" loads_cuda
step "orrery train and predict as $user" trains
printf '%s\n' "${results[@]}"
printf 'the image: %s MiB, %s of them its base; %s MiB to pull (gzip)\n' "$(($(du -sm --exclude=workspace "$image" | cut -f 1)))" \
  "$(du -sm "$work/base" | cut -f 1)" "$(tar -C "$image" --exclude=./workspace/run --exclude=./workspace/set -cf - . | gzip -1 | wc -c | awk '{ print int($1 / 1048576) }')"
