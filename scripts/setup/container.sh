#!/usr/bin/env bash
# Builds the container image with the engine there is: container.sh NAME [BASE]. BASE cpu is the small image without what a
# GPU needs, on the base in versions.mk; any other base gets that; none is the Dockerfile's own, NVIDIA's CUDA.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

name=$1 base=${2:-}
device=cuda
[ "$base" != cpu ] || device=cpu base=$(pin IMAGE_CPU)
options=(--build-arg "DEVICE=$device" --build-arg "VERSION=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)"
  --build-arg "COMMIT=$(git rev-parse HEAD 2>/dev/null || echo unknown)" --tag "$name")
[ -z "$base" ] || options+=(--build-arg "BASE=$base")

# OCI's own format has no health check.
if docker info >/dev/null 2>&1; then
  exec docker build "${options[@]}" .
elif podman info >/dev/null 2>&1; then
  exec podman build --format docker "${options[@]}" .
elif command -v buildah >/dev/null; then
  exec buildah build --format docker "${options[@]}" .
fi
die "missing: a container engine; start docker's or podman's, or apt-get install buildah"
