#!/usr/bin/env bash
# Prints the user data of a machine: cloud-init.yaml with the two scripts inside.
set -euo pipefail
cd "$(dirname "$0")"
pack() { gzip -9nc "$1" | base64 -w 0; }
sed -e "s|\"@task.sh\"|$(pack task.sh)|" -e "s|\"@orrery-run.sh\"|$(pack ../orrery-run.sh)|" cloud-init.yaml
