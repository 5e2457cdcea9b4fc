#!/usr/bin/env bash
# AWS SDK for JavaScript v3, the plain client and the document client: a product catalogue.
set -euo pipefail
cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients/js"
mkdir -p "$cache"
if ! cmp -s package.json "$cache/installed.json"; then
  echo "installing the AWS SDK for JavaScript" >&2
  cp package.json "$cache/"
  npm install --silent --no-audit --no-fund --prefix "$cache" >&2
  cp package.json "$cache/installed.json"
fi
cp ./*.mjs "$cache/"
export FOREBAY_ENDPOINT="$1" FOREBAY_ADMIN="$2"
node "$cache/catalogue.mjs"
