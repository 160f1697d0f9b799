#!/usr/bin/env bash
# Runs the bundle as on a machine that has nothing but a Python with its torch: no network, an empty environment, and, for root,
# with the cache's libtorch, this tree's builds and Go hidden. It renders pictures, trains on them, predicts, exports.
#   bundle.sh PYTHON    a Python that imports torch of the bundle's version
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"

python=$(realpath -s "$1")
bundle=$root/build/bundle/orrery-torch-$TORCH
[ -x "$bundle/orrery" ] || die "no bundle in $bundle; make bundle makes it"
found=$("$python" -c 'import torch; print(torch.__version__.split("+")[0])')
[ "$found" = "$TORCH" ] || die "$python has torch $found, the bundle wants $TORCH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$bundle" "$work/a bundle"
size=$(du -sm "$work/a bundle" | cut -f 1)
[ "$size" -lt 64 ] || die "the bundle has $size MiB, 64 are allowed"

hidden=("$cache/libtorch-$TORCH" "$root/build" "$(dirname "$(dirname "$(command -v go)")")")
# shellcheck disable=SC2016 # the inner shell's parameters
alone() {
  if [ "$(id -u)" = 0 ]; then
    unshare --mount --net --propagation private sh -c '
      while [ "$1" != -- ]; do mount -t tmpfs none "$1"; shift; done; shift; exec "$@"' sh "${hidden[@]}" -- \
      env -i HOME="$work" PATH=/usr/bin:/bin ORRERY_PYTHON="$python" "$@"
  else
    say "not root: this machine's libtorch and the network are not hidden"
    env -i HOME="$work" PATH=/usr/bin:/bin ORRERY_PYTHON="$python" "$@"
  fi
}

cd "$work"
orrery() {
  say "bundle: orrery $*"
  alone "./a bundle/orrery" "$@"
}
orrery doctor | tee doctor
grep -q "libtorch  $TORCH" doctor || die "the bundle does not find the Python's torch"
orrery planets --count 60 set
orrery train set --epochs 1 -b 16 --item-size 64 --size 48 -o run
for file in result.json model.safetensors report.html steps.csv; do
  [ -s "run/$file" ] || die "the run has no $file"
done
orrery predict run set/earth >predictions
grep -q "^set/earth/.*: .* 0\." predictions || die "it predicts: $(head -n 2 predictions)"
if alone "./a bundle/orrery" train set --device cuda --epochs 1 -b 16 -o other 2>said; then
  say "bundle: it trained on a GPU"
else
  grep "device cuda was asked for, but there is no GPU to use" said || die "without a GPU it says: $(cat said)"
fi
say "bundle: $size MiB, trained and predicted with $("$python" --version) and its torch"
