#!/usr/bin/env bash
# Builds the image of a node around a binary that was built on this machine.
#
#     build.sh BINARY TAG
#
# The image is made from nothing: of this machine's Debian it takes the shared libraries that the binary names, and their licences. No
# base image is pulled. BUILDER names the builder: buildah, podman or docker; left out, the first of them that is there.
set -euo pipefail
[ $# == 2 ] || { echo "usage: build.sh BINARY TAG" >&2; exit 64; }
binary=$(realpath "$1") tag=$2
cd "$(dirname "$0")"

builder=${BUILDER:-}
for candidate in buildah podman docker; do
  [ -n "$builder" ] || ! command -v "$candidate" >/dev/null || builder=$candidate
done
[ -n "$builder" ] || { echo "no builder: on Debian, apt-get install buildah" >&2; exit 69; }

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/root/etc/forebay" "$stage/data"
install -m 0755 "$binary" "$stage/root/forebay"

# `ldd` prints `libc.so.6 => /lib/…/libc.so.6 (0x…)` and, for the loader, its path alone. A library that is not found stops here.
ldd "$binary" >"$stage/libraries"
if grep -q 'not found' "$stage/libraries"; then cat "$stage/libraries" >&2; exit 70; fi
mapfile -t libraries < <(awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' "$stage/libraries")
for library in "${libraries[@]}"; do
  install -D -m 0755 "$(realpath "$library")" "$stage/root$library"
  # Packages know the path below /usr, or that before the merge of the two.
  real=$(realpath "$library")
  owner=$(dpkg-query -S "$real" 2>/dev/null || dpkg-query -S "${real#/usr}") || {
    echo "$real belongs to no Debian package, so its licence is not known" >&2
    exit 70
  }
  package=${owner%%:*}
  install -D -m 0644 "/usr/share/doc/$package/copyright" "$stage/root/usr/share/doc/$package/copyright"
done
install -D -m 0644 ../../LICENSE "$stage/root/usr/share/doc/forebay/copyright"

# Since 2.34 glibc has the look-up of names in files and in DNS built in; before, it would load libraries that no `ldd` shows.
glibc=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
if [ "$(printf '%s\n' 2.34 "$glibc" | sort -V | head -n 1)" != 2.34 ]; then
  echo "glibc $glibc can't look up names in an image without its plug-ins: build on Debian 12 or newer" >&2
  exit 70
fi
# Without this file glibc asks DNS before /etc/hosts.
printf 'hosts: files dns\n' >"$stage/root/etc/nsswitch.conf"
printf 'forebay:x:65532:65532:Forebay:/data:/sbin/nologin\n' >"$stage/root/etc/passwd"
printf 'forebay:x:65532:\n' >"$stage/root/etc/group"
chmod -R u=rwX,go=rX "$stage/root"

version=$("$binary" --version | cut -d' ' -f2)
cp Dockerfile "$stage/"
rm "$stage/libraries"
# The same binary and libraries give the same image, byte for byte, where the builder can be told which time to write down.
case $builder in
*buildah | *podman) set -- build --timestamp 0 --layers=false ;;
*) set -- build ;;
esac
"$builder" "$@" --build-arg "VERSION=$version" --tag "$tag" "$stage"
