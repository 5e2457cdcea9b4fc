# Sourced: fetches DynamoDB Local at its pinned version and starts it. Sets `local_pid`; the caller stops it by that.
#   start_dynamodb_local PORT LOGFILE [ARG ...]     (default: in memory)
dynamodb_local_here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
start_dynamodb_local() {
  local port="$1" log="$2"
  shift 2
  local lib="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/peers/dynamodb-local"
  if ! cmp -s "$dynamodb_local_here/pom.xml" "$lib/installed.xml"; then
    echo "fetching DynamoDB Local with Maven" >&2
    rm -rf "$lib"
    mkdir -p "$lib"
    mvn -B -q -f "$dynamodb_local_here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$lib" >&2
    cp "$dynamodb_local_here/pom.xml" "$lib/installed.xml"
  fi
  [ $# -gt 0 ] || set -- -inMemory
  java -Xmx1g -Dsqlite4java.library.path="$lib" -cp "$lib/*" \
    com.amazonaws.services.dynamodbv2.local.main.ServerRunner -port "$port" "$@" >"$log" 2>&1 &
  local_pid=$!
  for _ in $(seq 150); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
    kill -0 "$local_pid" 2>/dev/null || break
    sleep 0.2
  done
  echo "DynamoDB Local did not start:" >&2
  cat "$log" >&2
  return 1
}
