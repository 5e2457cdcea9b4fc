#!/usr/bin/env bash
# The AWS CLI: a leaderboard kept from a shell.
set -euo pipefail
cd "$(dirname "$0")"
source ../pip.sh
passed=0 failed=0
ddb() { "$cache/venv/bin/aws" --endpoint-url "$FOREBAY_ENDPOINT" --output json dynamodb "$@"; }
field() { python3 -c 'import json,sys; print(eval("d" + sys.argv[1], {"d": json.load(sys.stdin)}))' "$1"; }
is() { # is NAME EXPECTED ACTUAL
  if [ "$2" == "$3" ]; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    echo "FAILED $1: expected '$2', got '$3'"
  fi
}
hits() {
  if [ "$FOREBAY_ADMIN" == none ]; then echo 0; else
    python3 -c 'import sys; sys.path.insert(0, ".."); sys.dont_write_bytecode = True; from counters import counter; print(int(counter("forebay_item_cache_hits_total")))'
  fi
}

ddb create-table --table-name scores --billing-mode PAY_PER_REQUEST \
  --attribute-definitions AttributeName=game,AttributeType=S AttributeName=player,AttributeType=S AttributeName=points,AttributeType=N \
  --key-schema AttributeName=game,KeyType=HASH AttributeName=player,KeyType=RANGE \
  --global-secondary-indexes 'IndexName=top,KeySchema=[{AttributeName=game,KeyType=HASH},{AttributeName=points,KeyType=RANGE}],Projection={ProjectionType=ALL}' >/dev/null
ddb wait table-exists --table-name scores
is "a table is listed" True "$(ddb list-tables | field '["TableNames"].count("scores") == 1')"
for n in 1 2 3; do
  ddb put-item --table-name scores --item "{\"game\":{\"S\":\"go\"},\"player\":{\"S\":\"p$n\"},\"points\":{\"N\":\"$((n * 10))\"}}"
done
is "an item is read back" 20 "$(ddb get-item --table-name scores --key '{"game":{"S":"go"},"player":{"S":"p2"}}' | field '["Item"]["points"]["N"]')"
before=$(hits)
ddb get-item --table-name scores --key '{"game":{"S":"go"},"player":{"S":"p2"}}' >/dev/null
if [ "$FOREBAY_ADMIN" != none ]; then is "a repeated read comes from memory" 1 "$(($(hits) - before))"; fi
is "the top of the board" p3 "$(ddb query --table-name scores --index-name top --no-scan-index-forward --max-items 1 \
  --key-condition-expression 'game = :g' --expression-attribute-values '{":g":{"S":"go"}}' | field '["Items"][0]["player"]["S"]')"
ddb update-item --table-name scores --key '{"game":{"S":"go"},"player":{"S":"p1"}}' \
  --update-expression 'SET points = points + :n' --expression-attribute-values '{":n":{"N":"90"}}'
is "the board follows a write" p1 "$(ddb query --table-name scores --index-name top --no-scan-index-forward --max-items 1 \
  --key-condition-expression 'game = :g' --expression-attribute-values '{":g":{"S":"go"}}' | field '["Items"][0]["player"]["S"]')"
refused=$(ddb put-item --table-name scores --item '{"game":{"S":"go"},"player":{"S":"p1"}}' \
  --condition-expression 'attribute_not_exists(game)' 2>&1) && status=0 || status=$?
is "a failed condition fails the command" 255 "$status"
is "and says why" 1 "$(grep -c ConditionalCheckFailedException <<<"$refused")"
ddb batch-write-item --request-items '{"scores":[{"DeleteRequest":{"Key":{"game":{"S":"go"},"player":{"S":"p3"}}}},{"PutRequest":{"Item":{"game":{"S":"chess"},"player":{"S":"p1"},"points":{"N":"1"}}}}]}' >/dev/null
is "a scan counts what is left" 3 "$(ddb scan --table-name scores --page-size 1 | field '["Count"]')"
ddb delete-table --table-name scores >/dev/null
ddb wait table-not-exists --table-name scores
is "a dropped table is gone" True "$(ddb list-tables | field '["TableNames"].count("scores") == 0')"
echo "$passed passed, $failed failed"
[ "$failed" == 0 ]
