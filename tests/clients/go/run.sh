#!/usr/bin/env bash
# AWS SDK for Go v2: an auction house.
set -euo pipefail
cd "$(dirname "$0")"
source ../go.sh
