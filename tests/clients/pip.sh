# Sourced by the suites in Python: a virtual environment of their own with the pinned packages of ./requirements.txt.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients/$(basename "$PWD")"
if ! cmp -s requirements.txt "$cache/installed.txt"; then
  echo "installing $(tr '\n' ' ' < requirements.txt)" >&2
  rm -rf "$cache"
  mkdir -p "$cache"
  python3 -m venv "$cache/venv"
  # A registry that can't be reached for a moment fails no run; one that stays away does.
  for pause in 5 15 30 0; do
    if "$cache/venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt; then break; fi
    if [ "$pause" = 0 ]; then exit 1; fi
    echo "trying again in $pause s" >&2
    sleep "$pause"
  done
  cp requirements.txt "$cache/installed.txt"
fi
export FOREBAY_ENDPOINT="$1" FOREBAY_ADMIN="$2" FOREBAY_DAX="${3:-none}" FOREBAY_GRPC="${4:-none}"
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
