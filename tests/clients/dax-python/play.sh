#!/usr/bin/env bash
# play.sh DAX_ENDPOINT: asks, with the DAX client for Python, what standard input says. See play.py.
set -euo pipefail
cd "$(dirname "$0")"
set -- none none "$1"
# Several may start at once, and one installs.
mkdir -p "${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients"
exec 9>"${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients/dax-python.lock"
flock 9
source ../pip.sh >&2
exec 9>&-
PYTHONPATH=.. PYTHONDONTWRITEBYTECODE=1 exec "$cache/venv/bin/python" play.py
