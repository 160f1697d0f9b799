#!/usr/bin/env bash
# Trains a few steps on a CPU without AVX, which qemu-user plays; run through env.sh. Slow: libtorch is emulated, too.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
bin/orrery planets "$folder/planets" --count 24
old() { qemu-x86_64 -cpu Nehalem bin/orrery "$@"; }
old doctor
for kernels in own auto; do
  old train "$folder/planets" -o "$folder/$kernels" --kernels "$kernels" --epochs 1 -b 8 --item-size 64 --size 48 --store off
done
