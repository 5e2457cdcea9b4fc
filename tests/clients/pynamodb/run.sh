#!/usr/bin/env bash
# PynamoDB: a session store with an index, versions and batches.
set -euo pipefail
cd "$(dirname "$0")"
source ../pip.sh
PYTHONPATH=.. PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/pytest" -q -p no:cacheprovider -p summary .
