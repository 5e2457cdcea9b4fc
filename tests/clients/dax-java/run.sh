#!/usr/bin/env bash
# The DAX client for Java on the AWS SDK v2.
set -euo pipefail
cd "$(dirname "$0")"
source ../java.sh
