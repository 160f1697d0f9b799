#!/usr/bin/env bash
# Runs every generator of golden files, scripts/golden/*.py, with the peers' Python.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
python=$(scripts/setup/python.sh peers)/bin/python
for script in scripts/golden/*.py; do
  echo "golden: $script"
  "$python" "$script"
done
