#!/usr/bin/env bash
# Three nodes in zones a, b and c on this machine, each a process of its own: what the charts do on three machines.
#
#     three-nodes.sh up [BINARY]     make what is not there yet, start what does not run, wait until all are ready
#     three-nodes.sh down            stop all, at the same time, as `stop` does; the data stays
#     three-nodes.sh status          which run, which are ready, and what `forebay status` says
#     three-nodes.sh wait            until all that run are ready
#     three-nodes.sh restart         rolling: one after the other, the primary last, each ready before the next is stopped
#     three-nodes.sh start NODE      one node; NODE is a, b or c
#     three-nodes.sh stop NODE       one node, by SIGTERM; it gives 5 s of notice first
#     three-nodes.sh kill NODE       one node, by SIGKILL
#     three-nodes.sh replace NODE    its data is lost; an empty node takes its place and its vote
#     three-nodes.sh cut NODE        take its network away; with FOREBAY_NETNS=1 only
#     three-nodes.sh heal NODE       and give it back
#     three-nodes.sh run CMD…        run a client where the nodes can be reached
#     three-nodes.sh ask NODE CMD…   ask a node as an operator: status, member remove NUMBER, member transfer-primary
#     three-nodes.sh clean           stop all and delete everything, network namespaces too
#
# The nodes listen on 127.0.0.1, .2 and .3, on the usual ports: HTTP 8000, DAX 8111, gRPC 8500, admin 8080. With FOREBAY_NETNS=1 (wants root
# and iproute2) each is in a network namespace of its own, on 10.85.0.1, .2 and .3, joined by a bridge in a fourth, in which `run` runs;
# nothing of it touches this machine's own network.
#
# Environment: FOREBAY_LOCAL, the folder of data, settings and logs (./forebay-local); FOREBAY_NETWORK, the first three numbers of the
# addresses (127.0.0, or 10.85.0 in namespaces); FOREBAY_CACHE, the memory of each node's caches (64MiB).
set -euo pipefail

here=$(dirname "$(realpath "$0")")
folder=$(realpath -m "${FOREBAY_LOCAL:-forebay-local}")
isolated=${FOREBAY_NETNS:-}
network=${FOREBAY_NETWORK:-$([ -n "$isolated" ] && echo 10.85.0 || echo 127.0.0)}
# A node that is not ready, or not gone, by then has failed.
patience=60

# Names of namespaces are the machine's, so they carry the network's numbers.
space=forebay-${network//./-}
number() { case $1 in a) echo 1 ;; b) echo 2 ;; c) echo 3 ;; *) echo "no node $1: a, b or c" >&2 && exit 64 ;; esac }
address() { echo "$network.$(number "$1")"; }
within() { # within NODE CMD…
  local node=$1
  shift
  if [ -n "$isolated" ]; then ip netns exec "$space-$node" "$@"; else "$@"; fi
}
become() { # become NODE CMD…: in place of this shell
  local node=$1
  shift
  if [ -n "$isolated" ]; then exec ip netns exec "$space-$node" "$@"; else exec "$@"; fi
}
process() { cat "$folder/$1/pid" 2>/dev/null || true; }
runs() { local pid && pid=$(process "$1") && [ -n "$pid" ] && [ "$(readlink "/proc/$pid/exe")" == "$(realpath "$folder/forebay")" ]; }
is_ready() { within "$1" curl -sf -m 1 -o /dev/null "http://$(address "$1"):8080/ready"; }
until_it() { # until_it CMD…: waits for it to hold
  local end=$((SECONDS + patience))
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

ask() { # ask NODE QUESTION…: what an operator may ask, of one node
  local node=$1
  shift
  within "$node" "$folder/forebay" "$@" --config "$folder/$node/forebay.toml"
}
replicas_first() { # so that leadership moves once
  local primary='' node
  for node in a b c; do
    ! runs $node || primary=$(ask $node status | awk '$2 == "primary" { print $3 }')
  done
  for node in a b c; do [ "$primary" == "$(address $node):8501" ] || echo $node; done
  for node in a b c; do [ "$primary" != "$(address $node):8501" ] || echo $node; done
}

lay_out_network() {
  [ -n "$isolated" ] && ! ip netns list | grep -q "^$space-lan\b" || return 0
  ip netns add "$space-lan"
  ip -n "$space-lan" link add lan type bridge
  ip -n "$space-lan" address add "$network.100/24" dev lan
  ip -n "$space-lan" link set lan up
  ip -n "$space-lan" link set lo up
  local node
  for node in a b c; do
    ip netns add "$space-$node"
    ip -n "$space-lan" link add "to-$node" type veth peer name eth0 netns "$space-$node"
    ip -n "$space-lan" link set "to-$node" master lan up
    ip -n "$space-$node" address add "$(address $node)/24" dev eth0
    ip -n "$space-$node" link set eth0 up
    ip -n "$space-$node" link set lo up
  done
}

write_settings() {
  local node=$1
  mkdir -p "$folder/$node"
  cat >"$folder/$node/forebay.toml" <<-TOML
	[node]
	name = "forebay-$node"
	zone = "$node"
	notice = "5s"

	[listen]
	address = "$(address "$node")"
	grpc_port = 8500
	peer_port = 8501
	admin_address = "$(address "$node")"

	[credentials]
	file = "$folder/secrets/credentials"

	[store]
	data = "$folder/$node/data"

	[cluster]
	name = "local"
	nodes = ["$(address a):8501", "$(address b):8501", "$(address c):8501"]
	secret_file = "$folder/secrets/cluster-secret"

	[cluster.tls]
	certificate = "$folder/secrets/$(address "$node").pem"
	key = "$folder/secrets/$(address "$node").key"
	authority = "$folder/secrets/authority.pem"

	[advertise]
	peer = "$(address "$node"):8501"

	[cache]
	cache_bytes = "${FOREBAY_CACHE:-64MiB}"
	TOML
}

begin() { # starts without waiting
  local node=$1
  ! runs "$node" || return 0
  become "$node" setsid "$folder/forebay" node --config "$folder/$node/forebay.toml" \
    >>"$folder/$node/log" 2>&1 </dev/null &
  # The shell behind `&`, `ip netns exec` and `setsid` each become what they run, so this is the node's own number.
  echo $! >"$folder/$node/pid"
}

await_ready() {
  until_it is_ready "$1" && return 0
  echo "node $1 is not ready after $patience s; the end of its log:" >&2
  tail -n 20 "$folder/$1/log" >&2
  return 1
}

votes() { # whether the cluster knows one member of this node's address, and it has a vote
  ask "$1" status | awk -v address="$(address "$1"):8501" '
    $3 == address { members++; votes += $2 != "learner" }
    END { exit !(members == 1 && votes == 1) }'
}
await_vote() { # of an empty node, which has taken the place of the member of its address
  until_it votes "$1" && return 0
  echo "node $1 has no vote after $patience s" >&2
  return 1
}

end() { # end NODE SIGNAL
  runs "$1" || return 0
  kill "-$2" "$(process "$1")" || true
}

is_gone() { ! runs "$1"; }
await_gone() {
  until_it is_gone "$1" && rm -f "$folder/$1/pid" && return 0
  echo "node $1 has not stopped after $patience s" >&2
  return 1
}

case ${1:-} in
up)
  mkdir -p "$folder"
  if [ ! -e "$folder/forebay" ]; then
    ln -s "$(realpath "${2:-${XDG_CACHE_HOME:-$HOME/.cache}/forebay/release/forebay}")" "$folder/forebay"
  fi
  "$here/../secrets.sh" "$folder/secrets" "$(address a)" "$(address b)" "$(address c)" 2>"$folder/secrets.log"
  lay_out_network
  for node in a b c; do write_settings $node && begin $node; done
  for node in a b c; do await_ready $node; done
  for node in a b c; do echo "zone $node  http://$(address $node):8000  dax://$(address $node):8111  admin http://$(address $node):8080"; done
  echo "access key: $folder/secrets/credentials"
  ;;
down)
  for node in a b c; do end $node TERM; done
  for node in a b c; do await_gone $node; done
  ;;
status)
  for node in a b c; do
    if ! runs $node; then echo "$node: stopped"; elif is_ready $node; then echo "$node: ready"; else echo "$node: not ready"; fi
  done
  for node in a b c; do
    if runs $node; then
      ask $node status
      break
    fi
  done
  ;;
wait)
  for node in a b c; do ! runs $node || await_ready $node; done
  ;;
restart)
  for node in $(replicas_first); do
    end $node TERM
    await_gone $node
    begin $node
    await_ready $node
  done
  ;;
start) begin "$2" && await_ready "$2" ;;
stop) end "$2" TERM && await_gone "$2" ;;
kill) end "$2" KILL && await_gone "$2" ;;
replace)
  end "$2" TERM
  await_gone "$2"
  rm -rf "${folder:?}/$2/data"
  begin "$2"
  await_ready "$2"
  # Until then the next loss would be one too many.
  await_vote "$2"
  ;;
cut) [ -n "$isolated" ] && ip -n "$space-lan" link set "to-$2" down ;;
heal) [ -n "$isolated" ] && ip -n "$space-lan" link set "to-$2" up ;;
ask)
  shift
  ask "$@"
  ;;
run)
  shift
  within lan "$@"
  ;;
clean)
  if [ -e "$folder/forebay" ]; then
    for node in a b c; do end $node KILL; done
    for node in a b c; do await_gone $node; done
    rm -rf "$folder"
  fi
  if [ -n "$isolated" ]; then
    for node in a b c lan; do ip netns delete "$space-$node" 2>/dev/null || true; done
  fi
  ;;
*)
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
  exit 64
  ;;
esac
