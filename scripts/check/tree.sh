#!/usr/bin/env bash
# The tree names no machine's own path and no package registry's host: both belong to the machine's settings.
set -euo pipefail
cd "$(dirname "$0")/../.."

paths='(^|[^A-Za-z0-9_./~-])/(root|work|home/[a-z])/'
hosts='(pypi|files\.pythonhosted|pythonhosted|proxy\.golang|sum\.golang|deb\.debian|archive\.ubuntu|registry\.npmjs|repo1?\.maven)\.(org|com)|download\.pytorch\.org|(nvcr|ghcr|quay)\.io'
found=0
for pattern in "$paths" "$hosts"; do
  # Fetched pages (testdata, third party) keep their own addresses; this script has to name what it looks for.
  if git grep --untracked -nIE "$pattern" -- ':!scripts/check/tree.sh' ':!*/testdata/*' ':!*.min.js' ':!go.sum' ':!*/go.sum'; then
    found=1
  fi
done
[ "$found" = 0 ] || {
  echo "the lines above name a machine's path or a registry's host; take it from the environment instead" >&2
  exit 1
}
