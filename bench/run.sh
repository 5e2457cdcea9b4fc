#!/usr/bin/env bash
# Measures Forebay beside its peers on this machine and prints the tables of docs/performance.md.
#
#   bench/run.sh FOREBAY_BINARY BENCH_BINARY [ROUNDS] [SECONDS] [--only SECTION]...
#
# Sections: http (beside DynamoDB Local and dynalite too), dax. Without --only both.
#
# Peers: a raw TCP echo, Redis (Debian), DynamoDB Local (Maven), dynalite (npm), all pinned, all on loopback, all stopped at
# the end by their process ids. Wants a machine with nothing else to do.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
usage() { sed -n '4,6p' "$0" >&2; exit 64; }
words=() sections=()
while [ $# -gt 0 ]; do
  case "$1" in
    --only) case "${2:-}" in http | dax) sections+=("$2") ;; *) usage ;; esac; shift 2 ;;
    *) words+=("$1"); shift ;;
  esac
done
[ "${#words[@]}" -ge 2 ] || usage
[ "${#sections[@]}" -gt 0 ] || sections=(http dax)
forebay="${words[0]}" bench="${words[1]}" rounds="${words[2]:-5}" seconds="${words[3]:-1}"
wanted() { [[ " ${sections[*]} " == *" $1 "* ]]; }
# Ten thousand connections are ten thousand files, of the node and of the generator.
ulimit -n "$(ulimit -Hn)"
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
if ! command -v redis-server >/dev/null; then
  echo "installing redis-server" >&2
  apt-get update -qq >&2
  apt-get install -y -qq redis-server >&2
fi

echo_port=$(free_port)
"$bench" echo --port "$echo_port" >/dev/null & echo_pid=$!
pids+=("$echo_pid")
redis_port=$(free_port)
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no >"$work/redis.log" & redis_pid=$!
pids+=("$redis_pid")
forebay_port=$(free_port) dax_port=$(free_port) grpc_port=$(free_port) admin_port=$(free_port)
start_forebay() { # start_forebay [ARG ...]
  "$forebay" dev --data "$work/forebay" --http-port "$forebay_port" --dax-port "$dax_port" \
    --grpc-port "$grpc_port" --admin-port "$admin_port" \
    --set telemetry.log=warn "$@" >"$work/forebay.log" 2>&1 &
  forebay_pid=$!
  pids+=("$forebay_pid")
  await "$forebay_port"
  await "$dax_port"
  ours="forebay=http://127.0.0.1:$forebay_port#$forebay_pid"
  dax="forebay-dax=dax://127.0.0.1:$dax_port#$forebay_pid"
}
restart_forebay() { # restart_forebay [ARG ...]: on the same data
  kill "$forebay_pid"
  wait "$forebay_pid" || true
  local pid left=()
  for pid in "${pids[@]}"; do [ "$pid" = "$forebay_pid" ] || left+=("$pid"); done
  pids=("${left[@]}")
  start_forebay "$@"
}
start_forebay
for port in "$echo_port" "$redis_port"; do await "$port"; done

echo="echo=echo://127.0.0.1:$echo_port#$echo_pid"
dax_echo="echo-dax=echo-dax://127.0.0.1:$echo_port#$echo_pid"
redis="redis=redis://127.0.0.1:$redis_port#$redis_pid"
pin() { # pin CORE PID ...: all threads of these processes
  local core="$1"
  shift
  for pid in "$@"; do taskset -acp "$core" "$pid" >/dev/null; done
}
all_cores="0-$(($(nproc) - 1))"
run() { "$bench" run --rounds "$rounds" --seconds "$seconds" "$@"; echo; }
pinned() { # pinned ARG ...: one connection, the servers on one core and the generator on another
  pin 0 "${pids[@]}"
  taskset -c 1 "$bench" run --rounds "$rounds" --seconds "$seconds" "$@"
  echo
  pin "$all_cores" "${pids[@]}"
}

# The peers that take part over HTTP only, and with fewer items: they are slow.
start_peers() {
  if ! cmp -s "$here/package.json" "$cache/dynalite/installed.json"; then
    echo "installing dynalite with npm" >&2
    mkdir -p "$cache/dynalite"
    cp "$here/package.json" "$cache/dynalite/"
    npm install --silent --no-audit --no-fund --prefix "$cache/dynalite" >&2
    cp "$here/package.json" "$cache/dynalite/installed.json"
  fi
  local dynalite="$cache/dynalite/node_modules/dynalite/cli.js"
  local port
  port=$(free_port)
  start_dynamodb_local "$port" "$work/local.log"
  pids+=("$local_pid")
  local_memory="dynamodb-local=http://127.0.0.1:$port#$local_pid"
  port=$(free_port)
  mkdir -p "$work/local-disk"
  start_dynamodb_local "$port" "$work/local-disk.log" -dbPath "$work/local-disk"
  pids+=("$local_pid")
  local_disk="dynamodb-local-disk=http://127.0.0.1:$port#$local_pid"
  port=$(free_port)
  node "$dynalite" --port "$port" --createTableMs 0 >"$work/dynalite.log" 2>&1 &
  pids+=("$!")
  lite="dynalite=http://127.0.0.1:$port#$!"
  await "$port"
  port=$(free_port)
  node "$dynalite" --port "$port" --createTableMs 0 --path "$work/dynalite-disk" >"$work/dynalite-disk.log" 2>&1 &
  pids+=("$!")
  lite_disk="dynalite-disk=http://127.0.0.1:$port#$!"
  await "$port"
}

# Everything is asked for before it counts as a hit: a page is one only from its second reading on, and one connection takes
# longer than the rounds last to come by all keys.
warm() { "$bench" run "$1" --loaded --connections 32 --rounds 1 --seconds "$2" --target "$3" >/dev/null; }

http_section() {
  warm get-item 8 "$ours"
  echo "## GetItem hit, one connection, both ends pinned to a core each"
  pinned get-item --loaded --target "$echo" --target "$ours" --target "$redis"
  echo "## GetItem hit, 32 connections, client and server on the same cores"
  run get-item --loaded --connections 32 --target "$redis" --target "$ours" --target "$echo"
  echo "## GetItem, strongly consistent: the store itself"
  run get-item-strong --loaded --target "$echo" --target "$ours"
  run get-item-strong --loaded --connections 32 --target "$redis" --target "$ours"
  echo "## Query hit, ten items a partition"
  warm query 4 "$ours"
  run query --loaded --target "$echo" --target "$ours"
  run query --loaded --connections 32 --target "$ours" --target "$echo"
  echo "## PutItem, durable"
  run put-item --loaded --target "$ours"
  echo "## GetItem miss: a node just started, 4 items in 5 not read before"
  restart_forebay
  run get-item --loaded --rounds 1 --seconds 1 --target "$ours"
  start_peers
  echo "## Beside DynamoDB Local and dynalite, 32 connections"
  run get-item --connections 32 --keys 20000 --target "$ours" --target "$local_memory" --target "$lite"
  run query --connections 32 --keys 20000 --target "$ours" --target "$local_memory" --target "$lite"
  run put-item --connections 32 --keys 20000 --seconds 3 --target "$ours" --target "$lite_disk" --target "$local_disk"
}

dax_section() {
  warm get-item 8 "$dax"
  echo "## DAX: GetItem hit, one connection, both ends pinned to a core each"
  pinned get-item --loaded --target "$dax_echo" --target "$dax" --target "$redis"
  echo "## DAX: GetItem hit, 32 connections, client and server on the same cores"
  run get-item --loaded --connections 32 --target "$redis" --target "$dax" --target "$dax_echo"
  echo "## DAX: GetItem hit, pipelined 16 deep"
  run get-item --loaded --pipeline 16 --target "$redis" --target "$dax" --target "$dax_echo"
  run get-item --loaded --pipeline 16 --connections 32 --target "$redis" --target "$dax" --target "$dax_echo"
  echo "## DAX: Query hit, ten items a partition"
  warm query 4 "$dax"
  run query --loaded --target "$dax_echo" --target "$dax"
  run query --loaded --connections 32 --target "$dax" --target "$dax_echo"
  echo "## DAX: PutItem, durable"
  run put-item --loaded --target "$dax"
  run put-item --loaded --connections 32 --target "$dax"
  echo "## DAX: half of the top rate, an open loop"
  "$bench" paced --connections 32 --rounds "$rounds" --seconds "$seconds" --target "$dax" --target "$dax_echo"
  echo
  # From here on with access keys: who calls must be known.
  printf '[bench]\naws_access_key_id = AKIDBENCH\naws_secret_access_key = of-no-value\n' >"$work/credentials"
  restart_forebay --set credentials.file="$work/credentials"
  local signed=(--access-key AKIDBENCH --secret-key of-no-value)
  echo "## DAX: GetItem miss: a node just started, 4 items in 5 not read before"
  run get-item --loaded --rounds 1 --seconds 1 --target "$dax" "${signed[@]}"
  echo "## DAX: ten thousand idle connections"
  "$bench" idle --connections 10000 --target "$dax" "${signed[@]}"
  echo
  echo "## DAX: new connections"
  "$bench" connect --rate 1000 --seconds 5 --target "$dax" "${signed[@]}"
  echo
}

echo "## machine"
date -u +%Y-%m-%d
grep -m1 'model name' /proc/cpuinfo | cut -d: -f2
echo "$(nproc) cores, $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)"
"$bench" fsync --file "$work/fsync"
echo
"$bench" fill get-item --target "$ours" --target "$redis"
"$bench" fill query --target "$ours"
if wanted http; then http_section; fi
if wanted dax; then
  # What the other section left in the caches is gone.
  if wanted http; then restart_forebay; fi
  dax_section
fi
