#!/usr/bin/env bash
# What is in deploy/: is it well-formed, is it what its readers accept, and do the parts agree. What can run
# on one machine is run. As the suites of clients: run.sh HTTP_ENDPOINT ADMIN_URL DAX_ENDPOINT.
set -euo pipefail
cd "$(dirname "$0")"
source ../clients/pip.sh
PYTHONPATH=../clients PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/pytest" -q -p no:cacheprovider -p summary .
