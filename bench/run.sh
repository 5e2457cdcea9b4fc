#!/usr/bin/env bash
# Measures Forebay beside its peers on this machine and prints the tables of docs/performance.md.
#
#   bench/run.sh FOREBAY_BINARY BENCH_BINARY [ROUNDS] [SECONDS]
#
# Peers: a raw TCP echo, Redis (Debian), DynamoDB Local (Maven), dynalite (npm), all pinned, all on loopback, all stopped at
# the end by their process ids. Wants a machine with nothing else to do.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
forebay="$1" bench="$2" rounds="${3:-5}" seconds="${4:-3}"
source "$here/../tests/differential/dynamodb-local.sh"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/peers"
work=$(mktemp -d "${FOREBAY_BENCH_DIR:-/var/tmp}/forebay-bench.XXXXXX")
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
await() { # await PORT: until something listens
  for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  echo "nothing listens on port $1" >&2
  return 1
}
command -v redis-server >/dev/null || { echo "installing redis-server" >&2; apt-get install -y -qq redis-server >&2; }
if ! cmp -s "$here/package.json" "$cache/dynalite/installed.json"; then
  echo "installing dynalite with npm" >&2
  mkdir -p "$cache/dynalite"
  cp "$here/package.json" "$cache/dynalite/"
  npm install --silent --no-audit --no-fund --prefix "$cache/dynalite" >&2
  cp "$here/package.json" "$cache/dynalite/installed.json"
fi
dynalite="$cache/dynalite/node_modules/dynalite/cli.js"

echo_port=$(free_port)
"$bench" echo --port "$echo_port" >/dev/null & echo_pid=$!
pids+=("$echo_pid")
redis_port=$(free_port)
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no >"$work/redis.log" & redis_pid=$!
pids+=("$redis_pid")
local_port=$(free_port)
start_dynamodb_local "$local_port" "$work/local.log"
local_memory_pid=$local_pid
pids+=("$local_pid")
local_disk_port=$(free_port)
mkdir -p "$work/local-disk"
start_dynamodb_local "$local_disk_port" "$work/local-disk.log" -dbPath "$work/local-disk"
local_disk_pid=$local_pid
pids+=("$local_pid")
dynalite_port=$(free_port)
node "$dynalite" --port "$dynalite_port" --createTableMs 0 >"$work/dynalite.log" 2>&1 & dynalite_pid=$!
pids+=("$dynalite_pid")
dynalite_disk_port=$(free_port)
node "$dynalite" --port "$dynalite_disk_port" --createTableMs 0 --path "$work/dynalite-disk" >"$work/dynalite-disk.log" 2>&1 & dynalite_disk_pid=$!
pids+=("$dynalite_disk_pid")
forebay_port=$(free_port) admin_port=$(free_port)
start_forebay() {
  "$forebay" dev --data "$work/forebay" --http-port "$forebay_port" --dax-port 0 --admin-port "$admin_port" --set telemetry.log=warn >"$work/forebay.log" 2>&1 &
  forebay_pid=$!
  pids+=("$forebay_pid")
  await "$forebay_port"
}
start_forebay
for port in "$echo_port" "$redis_port" "$dynalite_port" "$dynalite_disk_port"; do await "$port"; done

echo="echo=echo://127.0.0.1:$echo_port#$echo_pid"
redis="redis=redis://127.0.0.1:$redis_port#$redis_pid"
ours="forebay=http://127.0.0.1:$forebay_port#$forebay_pid"
local="dynamodb-local=http://127.0.0.1:$local_port#$local_memory_pid"
local_disk="dynamodb-local-disk=http://127.0.0.1:$local_disk_port#$local_disk_pid"
lite="dynalite=http://127.0.0.1:$dynalite_port#$dynalite_pid"
lite_disk="dynalite-disk=http://127.0.0.1:$dynalite_disk_port#$dynalite_disk_pid"
pin() { # pin CORE PID ...: all threads of these processes
  local core="$1"
  shift
  for pid in "$@"; do taskset -acp "$core" "$pid" >/dev/null; done
}
all_cores="0-$(($(nproc) - 1))"
run() { "$bench" run --rounds "$rounds" --seconds "$seconds" "$@"; echo; }

echo "## machine"
date -u +%Y-%m-%d
grep -m1 'model name' /proc/cpuinfo | cut -d: -f2
echo "$(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)"
"$bench" fsync --file "$work/fsync"
echo
echo "## GetItem hit, one connection, both ends pinned to a core each"
pin 0 "${pids[@]}"
taskset -c 1 "$bench" run get-item --target "$echo" --target "$ours" --target "$redis" --rounds "$rounds" --seconds "$seconds"
echo
pin "$all_cores" "${pids[@]}"
echo "## GetItem hit, 32 connections, client and server on the same cores"
run get-item --loaded --connections 32 --target "$redis" --target "$ours" --target "$echo"
run get-item --connections 32 --keys 20000 --target "$ours" --target "$local" --target "$lite"
echo "## GetItem, strongly consistent: the store itself"
run get-item-strong --loaded --target "$echo" --target "$ours"
run get-item-strong --loaded --connections 32 --target "$redis" --target "$ours"
echo "## GetItem miss: each round on a node just started, 4 items in 5 not read before"
kill "$forebay_pid"
wait "$forebay_pid" || true
start_forebay
ours="forebay=http://127.0.0.1:$forebay_port#$forebay_pid"
run get-item --loaded --rounds 1 --seconds 1 --target "$ours"
echo "## Query hit, ten items a partition"
# Each partition is asked for once before: a page is a hit only from its second reading on, and one connection takes longer
# than the rounds last to come by all ten thousand.
"$bench" run query --connections 32 --rounds 1 --seconds 5 --target "$ours" >/dev/null
run query --loaded --target "$echo" --target "$ours"
run query --loaded --connections 32 --target "$ours" --target "$echo"
run query --connections 32 --keys 20000 --target "$ours" --target "$local" --target "$lite"
echo "## PutItem, durable"
run put-item --loaded --target "$ours"
run put-item --connections 32 --keys 20000 --seconds 5 --target "$ours" --target "$lite_disk" --target "$local_disk"
