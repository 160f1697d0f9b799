#!/usr/bin/env bash
# Runs every generator of golden files, scripts/golden/*.py, with the peers' Python and the arguments that the line
# "python scripts/golden/NAME.py ARGUMENTS" in its own text gives; what stands in [brackets] there is left out.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname "$0")/../setup/lib.sh"
cd "$root"
python=$(scripts/setup/python.sh peers)/bin/python
for script in scripts/golden/*.py; do
  read -ra arguments < <(sed -n "s|.*python3\{0,1\} $script\([^[]*\).*|\1|p" "$script" | head -n 1) || true
  echo "golden: $script ${arguments[*]}"
  "$python" "$script" "${arguments[@]}"
done
git status --short -- '*/testdata/*'
