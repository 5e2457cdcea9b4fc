#!/usr/bin/env bash
# AWS SDK for Go v2: an auction house.
set -euo pipefail
cd "$(dirname "$0")"
export FOREBAY_ENDPOINT="$1" FOREBAY_ADMIN="$2"
report=$(mktemp)
trap 'rm -f "$report"' EXIT
echo "building the flow for Go (fetches the AWS SDK for Go on first use)" >&2
go test -count=1 -v ./... | tee "$report" | grep -v -E '^(=== RUN|--- PASS)' || true
passed=$(grep -c '^--- PASS' "$report" || true) failed=$(grep -c '^--- FAIL' "$report" || true)
grep -q -E '^(ok|PASS)' "$report" || [ "$failed" != 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" == 0 ]
