#!/bin/bash
# The task of cloud-init.yaml: checks the driver, gets Orrery and the pictures, trains, keeps the run folder, shuts down.
set -euo pipefail
: "${NAME:?}" "${KEPT:?}" "${DATA:?}"
place=${ORRERY_PLACE:-/var/lib/orrery}
runs=$place/runs
mkdir -p "$runs"

keep() { [ ! -d "$runs/$NAME" ] || rclone copy "$runs/$NAME" "$KEPT/$NAME" || echo "could not keep $runs/$NAME in $KEPT" >&2; }
child="" keeper=""
# Whatever the end, what there is of the run is kept. A machine that is being taken away needs no shutdown of ours.
# shellcheck disable=SC2329 # by the trap
finish() {
  local code=$?
  trap - EXIT TERM
  [ -z "$keeper" ] || kill "$keeper" 2>/dev/null || true
  keep
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

# What an earlier machine left of the run.
rclone copy "$KEPT/$NAME" "$runs/$NAME" 2>/dev/null || echo "nothing of $NAME in $KEPT yet" >&2

if [ "$DATA" != planets ]; then
  [ -s "$place/data.zip" ] || { curl -fsSL --retry 5 -o "$place/data.zip.part" "$DATA" && mv "$place/data.zip.part" "$place/data.zip"; }
  DATA=$place/data.zip
fi

read -ra flags <<<"${FLAGS:-}"
flags+=(--device "$device")
if [ -n "${IMAGE:-}" ]; then
  gpus=()
  [ "$device" = cpu ] || gpus=(--gpus all)
  docker pull --quiet "$IMAGE" >&2
  docker rm --force orrery >/dev/null 2>&1 || true
  docker run --rm --name orrery --stop-timeout 60 "${gpus[@]}" --user "$(id -u):$(id -g)" --volume "$place:$place" \
    --volume "$(command -v orrery-run.sh):/orrery-run.sh:ro" --entrypoint /bin/sh "$IMAGE" \
    /orrery-run.sh "$runs" "$NAME" "$DATA" "${flags[@]}" &
else
  : "${BUNDLE:?either IMAGE or BUNDLE}"
  mkdir -p "$place/bundle"
  curl -fsSL --retry 5 "$BUNDLE" | tar -xz --strip-components 1 -C "$place/bundle"
  ORRERY=$place/bundle/orrery orrery-run.sh "$runs" "$NAME" "$DATA" "${flags[@]}" &
fi
child=$!
# A machine may go without a word: what there is goes to the bucket now and then.
(
  trap 'kill "$!"; exit' TERM
  while sleep "${KEEP_EVERY:-300}" & wait "$!"; do keep; done
) &
keeper=$!
# A signal of ours ends a wait before the child has ended.
while :; do
  signalled="" code=0
  wait "$child" || code=$?
  [ -n "$signalled" ] || break
done
exit "$code"
