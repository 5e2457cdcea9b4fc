#!/usr/bin/env bash
# The DAX client for Python, through its client and its resource interface.
set -euo pipefail
cd "$(dirname "$0")"
source ../pip.sh
PYTHONPATH=.. PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/pytest" -q -p no:cacheprovider -p summary .
