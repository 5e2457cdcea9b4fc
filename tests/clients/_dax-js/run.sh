# Sourced by the suites of DAX in JavaScript: the pinned packages of ./package.json, the shared cases, certificates, and the run.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/forebay/clients/$(basename "$PWD")"
shared="$(cd ../_dax-js && pwd)"
mkdir -p "$cache"
if ! cmp -s package.json "$cache/installed.json"; then
  echo "installing $(basename "$PWD")" >&2
  cp package.json "$cache/"
  npm install --silent --no-audit --no-fund --prefix "$cache" >&2
  cp package.json "$cache/installed.json"
fi
cp "$shared"/*.mjs ./*.mjs "$cache/"
export FOREBAY_CASES="$(cd ../_dax && pwd)" FOREBAY_README="$(cd ../../.. && pwd)/README.md"
export FOREBAY_ENDPOINT="$1" FOREBAY_ADMIN="$2" FOREBAY_DAX="$3"
# Node.js reads whom it trusts when it starts, so the certificates are made before.
FOREBAY_CERTIFICATES="$(mktemp -d)"
export FOREBAY_CERTIFICATES NODE_EXTRA_CA_CERTS="$FOREBAY_CERTIFICATES/authorities.pem"
trap 'rm -rf "$FOREBAY_CERTIFICATES"' EXIT
certify() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=forebay test $1" -addext "subjectAltName=$2" \
    -keyout "$FOREBAY_CERTIFICATES/$1-key.pem" -out "$FOREBAY_CERTIFICATES/$1-certificate.pem" 2>/dev/null
}
certify good DNS:dax.test,IP:127.0.0.1
certify other DNS:other.test
cat "$FOREBAY_CERTIFICATES"/*-certificate.pem >"$NODE_EXTRA_CA_CERTS"
node --test-reporter="file://$cache/reporter.mjs" "$cache/suite.mjs"
