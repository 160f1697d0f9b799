#!/bin/bash
# The task of cloud-init.yaml: checks the driver, gets Orrery and the pictures, trains with a copy in the bucket, shuts down.
set -euo pipefail
: "${NAME:?}" "${MIRROR:?}" "${DATA:?}"
place=${ORRERY_PLACE:-/var/lib/orrery}
runs=$place/runs
mkdir -p "$runs"

child=""
# A machine that is being taken away needs no shutdown of ours.
# shellcheck disable=SC2329 # by the trap
finish() {
  local code=$?
  trap - EXIT TERM
  echo "orrery ended with $code" >&2
  [ "$code" = 143 ] || [ -n "${STAY:-}" ] || systemctl poweroff --no-block
  exit "$code"
}
trap finish EXIT
signalled=""
trap 'signalled=yes; [ -n "$child" ] || exit 143; kill -TERM "$child"' TERM

# The driver, where a GPU is wanted: an answer in one line, before anything large is fetched.
device=${DEVICE:-auto}
if [ "$device" != cpu ]; then
  if driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>&1); then
    driver=${driver%%$'\n'*}
    [ "${driver%%.*}" -ge 580 ] || why="CUDA 13 needs driver 580 or later, found $driver"
  else
    why="no NVIDIA driver: ${driver%%$'\n'*}"
  fi
  if [ -n "${why:-}" ]; then
    [ "$device" = auto ] || { echo "DEVICE=$device: $why" >&2 && exit 1; }
    echo "$why; training on the CPU" >&2
    device=cpu
  fi
fi

if [ "$DATA" != planets ]; then
  [ -s "$place/data.zip" ] || { curl -fsSL --retry 5 -o "$place/data.zip.part" "$DATA" && mv "$place/data.zip.part" "$place/data.zip"; }
  DATA=$place/data.zip
fi

read -ra flags <<<"${FLAGS:-}"
flags+=(--device "$device" --mirror "$MIRROR")
if [ -n "${IMAGE:-}" ]; then
  options=()
  [ "$device" = cpu ] || options+=(--gpus all)
  # Where the bucket is and who asks, as far as it is said here; the machine's role is asked for over the host's network.
  for name in $(compgen -e AWS_); do options+=(--env "$name"); done
  docker pull --quiet "$IMAGE" >&2
  docker rm --force orrery >/dev/null 2>&1 || true
  docker run --rm --name orrery --network host --stop-timeout 60 "${options[@]}" --user "$(id -u):$(id -g)" --volume "$place:$place" \
    --volume "$(command -v orrery-run.sh):/orrery-run.sh:ro" --entrypoint /bin/sh "$IMAGE" \
    /orrery-run.sh "$runs" "$NAME" "$DATA" "${flags[@]}" &
else
  : "${BUNDLE:?either IMAGE or BUNDLE}"
  mkdir -p "$place/bundle"
  curl -fsSL --retry 5 "$BUNDLE" | tar -xz --strip-components 1 -C "$place/bundle"
  ORRERY=$place/bundle/orrery orrery-run.sh "$runs" "$NAME" "$DATA" "${flags[@]}" &
fi
child=$!
# A signal of ours ends a wait before the child has ended.
while :; do
  signalled="" code=0
  wait "$child" || code=$?
  [ -n "$signalled" ] || break
done
exit "$code"
