#!/usr/bin/env bash
# What is in deploy/: is it well-formed, is it what its readers (Kubernetes, Compose, systemd, Terraform, the binary) accept, and do the parts
# agree on ports, times and names. What can run on one machine is run. As the suites of clients: run.sh HTTP_ENDPOINT ADMIN_URL DAX_ENDPOINT.
set -euo pipefail
cd "$(dirname "$0")"
source ../clients/pip.sh
tools="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/tools/deploy"
if ! cmp -s tools/go.sum "$tools/go.sum"; then
  echo "building helm and the reader of Compose files (fetches their modules; minutes the first time)" >&2
  rm -rf "$tools"
  mkdir -p "$tools"
  (cd tools && go build -o "$tools/helm" helm.sh/helm/v4/cmd/helm && go build -o "$tools/compose" github.com/compose-spec/compose-go/v2/cmd)
  cp tools/go.sum "$tools/go.sum"
fi
export PATH="$tools:$PATH"
PYTHONPATH=../clients PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/pytest" -q -p no:cacheprovider -p summary .
