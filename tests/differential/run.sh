#!/usr/bin/env bash
# Seeded random sequences of operations against Forebay and DynamoDB Local: the same answers, the same error names.
#   run.sh HTTP_ENDPOINT [ADMIN_URL]        FOREBAY_SEQUENCES (default 120) and FOREBAY_SEED (default 1) choose how many
set -euo pipefail
cd "$(dirname "$0")"
source ./dynamodb-local.sh
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
log=$(mktemp)
trap 'kill "${local_pid:-}" 2>/dev/null || true; rm -f "$log"' EXIT
start_dynamodb_local "$port" "$log"
PYTHONDONTWRITEBYTECODE=1 python3 compare.py "$1" "http://127.0.0.1:$port" \
  --seed "${FOREBAY_SEED:-1}" --sequences "${FOREBAY_SEQUENCES:-120}"
