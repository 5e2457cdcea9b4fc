//! Signing requests of ours.

use httparse::Header;
use ring::hmac;

use super::canonical::{Canonical, hash, hex};
use super::keyring::{Credentials, derive};
use super::time;
use super::verify::SERVICE;

/// A signature, ready for its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The value of `Authorization`.
    pub authorization: String,
}

/// Signs a request with its headers, all of which are covered. `uri` is path and query as sent; `headers` include `host`
/// and the `x-amz-date` of `seconds` since 1970.
#[allow(
    clippy::too_many_arguments,
    reason = "each is a part of what is signed; a struct would only rename them"
)]
pub fn sign(
    credentials: &Credentials,
    region: &str,
    service: &str,
    seconds: u64,
    method: &str,
    uri: &str,
    headers: &[Header<'_>],
    body: &[u8],
) -> Signature {
    sign_hashed(credentials, region, service, seconds, method, uri, headers, &hash(body))
}

/// What goes along with a call of another protocol that is signed as if it were a POST: names, in lower case, and values. The
/// message's own hash is covered, so that nobody can put another in its place; what else travels beside it is not.
pub fn sign_call(
    credentials: &Credentials,
    region: &str,
    seconds: u64,
    path: &str,
    host: &str,
    message: &[u8],
) -> Vec<(&'static str, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let body_hash = hash(message);
    let mut beside =
        vec![("x-amz-content-sha256", text(&body_hash)), ("x-amz-date", text(&time::write(seconds)))];
    if let Some(token) = &credentials.session_token {
        beside.push(("x-amz-security-token", token.clone()));
    }
    let mut headers = vec![Header { name: "host", value: host.as_bytes() }];
    headers.extend(beside.iter().map(|(name, value)| Header { name, value: value.as_bytes() }));
    let signed = sign_hashed(credentials, region, SERVICE, seconds, "POST", path, &headers, &body_hash);
    beside.push(("authorization", signed.authorization));
    beside
}

/// As [`sign`], of a body that is known by its hash.
#[allow(clippy::too_many_arguments, reason = "as there")]
fn sign_hashed(
    credentials: &Credentials,
    region: &str,
    service: &str,
    seconds: u64,
    method: &str,
    uri: &str,
    headers: &[Header<'_>],
    body_hash: &[u8],
) -> Signature {
    let date = time::write(seconds);
    let date = std::str::from_utf8(&date).expect("digits and letters are UTF-8");
    let scope = format!("{}/{region}/{service}/aws4_request", &date[..8]);
    let mut names: Vec<String> = headers.iter().map(|header| header.name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    let signed_headers = names.join(";");
    let canonical = Canonical { method, uri, headers, signed_headers: &signed_headers, body_hash }.hash();
    let tag = signature(&derive(&credentials.secret_key, &scope), date, &scope, &canonical);
    let signature = hex(tag.as_ref());
    let signature = std::str::from_utf8(&signature).expect("hexadecimal is UTF-8");
    let access_key = &credentials.access_key;
    Signature {
        authorization: format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed_headers}, Signature={signature}"
        ),
    }
}

/// The signature of a canonical request's hash.
pub(super) fn signature(key: &hmac::Key, date: &str, scope: &str, canonical_hash: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for piece in [b"AWS4-HMAC-SHA256\n", date.as_bytes(), b"\n", scope.as_bytes(), b"\n", canonical_hash] {
        context.update(piece);
    }
    context.sign()
}
