#!/usr/bin/env bash
# AWS SDK for Java v2, the plain, the asynchronous and the enhanced client: a ticket office.
set -euo pipefail
cd "$(dirname "$0")"
export FOREBAY_ENDPOINT="$1" FOREBAY_ADMIN="$2"
build="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients/java"
mkdir -p "$build"
report="$build/report.txt"
echo "building the flow for Java (fetches the AWS SDK for Java on first use)" >&2
rm -rf "$build/target/surefire-reports"
mkdir -p "$build/target/surefire-reports"
mvn -B -q -Dforebay.build="$build/target" -Dstyle.color=never -Dsurefire.printSummary=true test >"$report" 2>&1 || true
grep -v -E '^(\[INFO\]|SLF4J)' "$report" || true
python3 - "$build/target/surefire-reports" <<'PY'
import pathlib
import sys
import xml.etree.ElementTree as xml
passed = failed = 0
for path in pathlib.Path(sys.argv[1]).glob("*.xml"):
    suite = xml.parse(path).getroot()
    bad = int(suite.get("failures")) + int(suite.get("errors"))
    passed += int(suite.get("tests")) - bad - int(suite.get("skipped"))
    failed += bad + int(suite.get("skipped"))
failed += passed + failed == 0
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
PY
