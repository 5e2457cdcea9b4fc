#!/usr/bin/env bash
# AWS SDK for Java v2, the plain, the asynchronous and the enhanced client: a ticket office.
set -euo pipefail
cd "$(dirname "$0")"
source ../java.sh
