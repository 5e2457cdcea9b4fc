#!/usr/bin/env bash
# The DAX client for the AWS SDK for JavaScript v3, plain and as a document client.
set -euo pipefail
cd "$(dirname "$0")"
source ../_dax-js/run.sh
