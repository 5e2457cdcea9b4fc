#!/usr/bin/env bash
# grpcio, the gRPC client for Python, with stubs generated from the published .proto.
set -euo pipefail
cd "$(dirname "$0")"
source ../pip.sh
proto=../../../proxy/grpc/proto
"$cache/venv/bin/python" -m grpc_tools.protoc -I "$proto" --python_out="$cache" --grpc_python_out="$cache" dynamodb.proto
PYTHONPATH="..:$cache" PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/pytest" -q -p no:cacheprovider -p summary .
