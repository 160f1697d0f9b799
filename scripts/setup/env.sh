#!/usr/bin/env bash
# Runs a command where Go, libtorch, our build of the native library and our Python are found: env.sh COMMAND...
# Sets up nothing that is there already; TORCH=VERSION asks for one libtorch, CGT_ASAN=1 for the build
# with AddressSanitizer.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/setup/lib.sh
. "$here/lib.sh"

go_bin=$("$here/go.sh")
torch=$("$here/libtorch.sh" "${TORCH:-}")
export TORCH=${torch%% *} TORCH_DIR=${torch#* }
export ORRERY_LIB=$root/build/${CGT_ASAN:+asan-}torch-$TORCH
# The tests' Python, when it is there: its folder comes last, only its own tools are taken from it.
export ORRERY_PYTHON=$cache/python-test/bin/python
[ -x "$ORRERY_PYTHON" ] || unset ORRERY_PYTHON
# axe-core, likewise.
axe=$(pin AXE_CORE)
axe=${axe%% *}
export ORRERY_AXE=$cache/${axe/@/-}/axe.min.js
[ -f "$ORRERY_AXE" ] || unset ORRERY_AXE
export PATH=$go_bin:$PATH:$cache/bin
exec "$@"
