#!/usr/bin/env bash
# The DAX client for Go on the AWS SDK v1.
set -euo pipefail
cd "$(dirname "$0")"
source ../go.sh
