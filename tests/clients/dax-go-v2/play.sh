#!/usr/bin/env bash
# play.sh DAX_ENDPOINT: asks, with the DAX client for Go, what standard input says. See ../_go/play.go.
set -euo pipefail
cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients"
# Several may start at once, and one builds.
mkdir -p "$cache"
exec 9>"$cache/dax-go-v2.lock"
flock 9
go test -c -o "$cache/dax-go-v2-play" . >&2
exec 9>&-
FOREBAY_PLAY="$1" exec "$cache/dax-go-v2-play"
