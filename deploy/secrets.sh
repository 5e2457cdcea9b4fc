#!/usr/bin/env bash
# Makes what a set of nodes shares, into a folder: the cluster secret, an access key for clients and, with names of hosts behind it, an
# authority and a certificate for each host, for the mutual TLS between nodes.
#
#     secrets.sh FOLDER [HOST…]
#
# What is there already stays: calling it again with one more host gives a certificate to that one only. To rotate, move the file
# away and call it again; how nodes take it over is in docs/operations.md.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: secrets.sh FOLDER [HOST…]" >&2; exit 64; }
folder=$1
shift
umask 077
mkdir -p "$folder"
cd "$folder"

if [ ! -e cluster-secret ]; then
  head -c 32 /dev/urandom | base64 -w0 >cluster-secret
fi
if [ ! -e credentials ]; then
  key() { head -c 64 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9 | head -c "$1"; }
  printf '[default]\naws_access_key_id = FB%s\naws_secret_access_key = %s\n' "$(key 18 | tr a-z A-Z)" "$(key 40)" >credentials
fi

[ $# -gt 0 ] || exit 0
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
if [ ! -e authority.key ]; then
  new_key authority.key
  openssl req -x509 -new -key authority.key -days 3650 -subj "/CN=Forebay nodes" -out authority.pem \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign
fi
for host in "$@"; do
  [ ! -e "$host.pem" ] || continue
  case $host in
  *[!0-9.]*) name="DNS:$host" ;;
  *) name="IP:$host" ;;
  esac
  new_key "$host.key"
  # A node is a server to some peers and a client to others.
  printf '%s\n' "subjectAltName=$name" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
    extendedKeyUsage=serverAuth,clientAuth >"$host.extensions"
  openssl req -new -key "$host.key" -subj "/CN=$host" |
    openssl x509 -req -days 365 -CA authority.pem -CAkey authority.key -extfile "$host.extensions" -out "$host.pem"
  rm "$host.extensions"
done
