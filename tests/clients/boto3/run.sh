#!/usr/bin/env bash
# boto3: the coupon shop, through the resource and the client interface.
set -euo pipefail
cd "$(dirname "$0")"
source ../pip.sh
PYTHONPATH=.. PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/pytest" -q -p no:cacheprovider -p summary .
