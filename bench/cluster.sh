#!/usr/bin/env bash
# Measures a cluster of three nodes, each a process of its own on an address of its own, on this machine.
#
#   bench/cluster.sh FOREBAY_BINARY BENCH_BINARY [ROUNDS] [SECONDS]
#
# Prints the tables of docs/performance.md: durable writes beside a node that stands alone and beside synced appends to as many
# files; how long after an acknowledgement replicas answer with the write; what write_visibility = "all" costs; hits on each node.
# All of it shares the machine's cores and its disk, which three machines would not: so what is said of writes is a floor. Wants a
# machine with nothing else to do.
set -euo pipefail
usage() { sed -n '4p' "$0" >&2; exit 64; }
[ $# -ge 2 ] || usage
forebay="$1" bench="$2" rounds="${3:-5}" seconds="${4:-2}"
work=$(mktemp -d "${FOREBAY_BENCH_DIR:-/var/tmp}/forebay-cluster.XXXXXX")
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
}
finish() { stop; rm -rf "$work"; }
trap finish EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
ready() { # ready HOST: until the node there may answer
  for _ in $(seq 600); do
    if (exec 3<>"/dev/tcp/$1/$admin" && printf 'GET /ready HTTP/1.0\r\n\r\n' >&3 && head -1 <&3 | grep -q 200) 2>/dev/null; then return 0; fi
    sleep 0.05
  done
  echo "the node at $1 does not get ready" >&2
  return 1
}
http=$(free_port) dax=$(free_port) grpc=$(free_port) admin=$(free_port) peer=$(free_port)
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/secret"
chmod 600 "$work/secret"
start() { # start NAME NODES [CLUSTER_SETTING ...]
  local name="$1" nodes="$2" node list setting
  shift 2
  list=$(for node in $(seq "$nodes"); do printf '"127.0.0.%s:%s",' "$node" "$peer"; done)
  for node in $(seq "$nodes"); do
    {
      printf '[node]\nname = "n%s"\nzone = "%s"\n' "$node" "$node"
      printf '[listen]\naddress = "127.0.0.%s"\nadmin_address = "127.0.0.%s"\n' "$node" "$node"
      printf 'http_port = %s\ndax_port = %s\ngrpc_port = %s\nadmin_port = %s\npeer_port = %s\n' \
        "$http" "$dax" "$grpc" "$admin" "$peer"
      printf '[store]\ndata = "%s"\n[telemetry]\nlog = "warn"\n' "$work/$name-$node"
      if [ "$nodes" -gt 1 ]; then
        printf '[cluster]\nnodes = [%s]\nsecret_file = "%s"\n' "$list" "$work/secret"
        for setting in "$@"; do echo "$setting"; done
      fi
    } >"$work/$name-$node.toml"
    "$forebay" node --config "$work/$name-$node.toml" >"$work/$name-$node.log" 2>&1 &
    pids+=("$!")
  done
  for node in $(seq "$nodes"); do ready "127.0.0.$node"; done
}
metric() { # metric HOST NAME
  exec 3<>"/dev/tcp/$1/$admin"
  printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3
  sed -n "s/^$2 //p" <&3
  exec 3>&-
}
primary() {
  local node
  for _ in $(seq 200); do
    for node in 1 2 3; do
      if [ "$(metric "127.0.0.$node" forebay_is_primary)" = 1 ]; then echo "$node"; return; fi
    done
    sleep 0.05
  done
  return 1
}
run() { "$bench" run --rounds "$rounds" --seconds "$seconds" "$@"; echo; }
at() { echo "$1=http://127.0.0.$2:$http#${pids[$2 - 1]}"; }

echo "## machine"
date -u +%Y-%m-%d
grep -m1 'model name' /proc/cpuinfo | cut -d: -f2
echo "$(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)"
"$bench" fsync --file "$work/fsync"
"$bench" fsync --file "$work/fsync" --files 3
echo

echo "## One node that stands alone: PutItem, durable"
start alone 1
"$bench" fill get-item --target "$(at alone 1)"
for connections in 1 64; do run put-item --loaded --connections "$connections" --target "$(at alone 1)"; done
stop

for visibility in node all; do
  echo "## Three nodes, write_visibility = $visibility: PutItem, durable"
  start "$visibility" 3 "write_visibility = \"$visibility\""
  first=$(primary)
  other=$((first % 3 + 1))
  "$bench" fill get-item --target "$(at primary "$first")"
  for connections in 1 64; do
    run put-item --loaded --connections "$connections" --target "$(at primary "$first")" --target "$(at replica "$other")"
  done
  third=$((other % 3 + 1))
  for connections in 4 16 64; do
    "$bench" lag --connections "$connections" --seconds "$((rounds * 2))" --writer "$(at primary "$first")" \
      --reader "$(at other "$other")" --reader "$(at third "$third")"
  done
  echo
  echo "## Three nodes, write_visibility = $visibility: GetItem hit on each"
  for node in 1 2 3; do "$bench" run get-item --loaded --connections 32 --rounds 1 --seconds 6 --target "$(at warm "$node")" >/dev/null; done
  run get-item --loaded --connections 32 --target "$(at first 1)" --target "$(at second 2)" --target "$(at third 3)"
  stop
done
