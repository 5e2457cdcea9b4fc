#!/usr/bin/env bash
# The DAX client for the AWS SDK for JavaScript v2, plain and below its document client.
set -euo pipefail
cd "$(dirname "$0")"
source ../_dax-js/run.sh
