# Sourced by the suites in Go: runs the tests of this folder, and ends on one line of counts.
export FOREBAY_ENDPOINT="$1" FOREBAY_ADMIN="$2" FOREBAY_DAX="${3:-none}"
report=$(mktemp)
trap 'rm -f "$report"' EXIT
echo "building $(basename "$PWD") (fetches the client and its SDK on first use)" >&2
go test -count=1 -v ./... >"$report" 2>&1 || true
grep -v -E '^ *(=== |--- PASS)' "$report" || true
# A test is what has no further tests in it.
awk '
  /^ *--- (PASS|FAIL):/ { name = $3; result[name] = $2; while (sub("/[^/]*$", "", name)) parent[name] = 1 }
  END {
    for (name in result) if (!(name in parent)) { if (result[name] == "PASS:") passed++; else { failed++; print "FAILED", name } }
    print passed + 0, failed + 0
  }' "$report" >"$report.counts"
head -n -1 "$report.counts"
read -r passed failed <<<"$(tail -n 1 "$report.counts")"
rm -f "$report.counts"
grep -q '^ok' "$report" || [ "$failed" != 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" == 0 ]
