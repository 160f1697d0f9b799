#!/bin/sh
# What every platform below starts: orrery-run.sh RUNS NAME DATA [FLAG...]
# Trains DATA into RUNS/NAME, or goes on with what an earlier, interrupted task left there, and ends with orrery's own
# exit code: 143 after the checkpoint of a SIGTERM, 203 when another process of the training is gone, which platforms take
# as "start me again". RUNS is on a disk that outlives the machine; NAME is the platform's name of the task, which stays
# the same when it starts it anew.
set -eu
[ $# -ge 3 ] || { echo "usage: orrery-run.sh RUNS NAME DATA [FLAG...]" >&2 && exit 2; }
runs=$1 data=$3
# A name may hold what a path may not.
name=$(printf %s "$2" | tr -c 'A-Za-z0-9._-' _)
shift 3
[ -d "$runs" ] || { echo "expected the folder $runs for runs, found none; mount a volume there" >&2 && exit 1; }
# A finished run is left as it is, so that a task started once more does nothing.
if [ -s "$runs/$name/result.json" ]; then
  echo "$runs/$name is finished already" >&2
  exit 0
fi
exec "${ORRERY:-orrery}" train "$data" --resume auto --output "$runs/$name" "$@"
