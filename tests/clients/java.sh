# Sourced by the suites in Java: runs the tests of this folder, and ends on one line of counts.
export FOREBAY_ENDPOINT="$1" FOREBAY_ADMIN="$2" FOREBAY_DAX="${3:-none}"
build="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients/$(basename "$PWD")"
mkdir -p "$build"
report="$build/report.txt"
echo "building $(basename "$PWD") (fetches the client and its SDK on first use)" >&2
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
    for case in suite.iter("testcase"):
        if {"failure", "error", "skipped"} & {part.tag for part in case}:
            print(f"FAILED {case.get('classname')}.{case.get('name')}")
failed += passed + failed == 0
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
PY
