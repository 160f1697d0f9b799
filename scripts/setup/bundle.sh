#!/usr/bin/env bash
# Makes build/bundle/orrery-torch-VERSION: the binary, our native libraries and a launcher that takes libtorch from the Python
# torch of the machine it runs on; run through env.sh after make build. No Go, compiler or network is needed there.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/lib.sh"

bundle=$root/build/bundle/orrery-torch-$TORCH
rm -rf "$bundle"
mkdir -p "$bundle/bin" "$bundle/lib"
cp "$root/bin/orrery" "$bundle/bin/"
cp "$ORRERY_LIB"/libcgotorch*.so "$bundle/lib/"
strip --strip-unneeded "$bundle/bin/orrery" "$bundle"/lib/*.so
for text in LICENSE NOTICE.md; do
  [ ! -e "$root/$text" ] || cp "$root/$text" "$bundle/"
done
sed "s/@TORCH@/$TORCH/g" >"$bundle/orrery" <<'LAUNCHER'
#!/bin/sh
# Runs Orrery with the libtorch @TORCH@ in $LIBTORCH, or else the one of the Python torch that is there.
here=$(dirname "$(readlink -f "$0")")
if [ -z "${LIBTORCH:-}" ]; then
  for python in "${ORRERY_PYTHON:-python3}" python; do
    LIBTORCH=$("$python" -c '
import importlib.util, os
spec = importlib.util.find_spec("torch")
if spec and spec.origin: print(os.path.dirname(spec.origin))' 2>/dev/null) && [ -n "$LIBTORCH" ] && break
  done
  if [ -n "$LIBTORCH" ]; then
    export LIBTORCH
  else
    unset LIBTORCH
    case "${1:-}" in
      train | ladder | lr-find | evaluate | predict | interpret | activations | export | serve | bench)
        echo "orrery: expected a Python torch @TORCH@ or LIBTORCH, found neither; pip install torch==@TORCH@, or set LIBTORCH to its folder" >&2
        exit 1
        ;;
    esac
  fi
fi
exec "$here/bin/orrery" "$@"
LAUNCHER
chmod 755 "$bundle/orrery"
size=$(du -sm "$bundle" | cut -f 1)
[ "$size" -lt 64 ] || die "the bundle has $size MiB, 64 are allowed"
say "build/bundle/orrery-torch-$TORCH: $size MiB; copy it to a machine with Python's torch $TORCH and run its orrery"
