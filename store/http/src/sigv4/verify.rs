//! Judging a request's signature, in the service's order: date, what is signed, algorithm, credential, key, signature, token.
//!
//! Every `x-amz-` header there is must be signed: the IAM User Guide (*Create a signed AWS API request*, canonical headers)
//! asks for `host` and for them. Otherwise whoever sits between could add an `x-amz-target` of their own.

use std::sync::Arc;

use api::service::Caller;
use api::{Error, ErrorKind};
use ring::hmac;

use super::authorization::Authorization;
use super::canonical::{Canonical, hash, hex};
use super::keyring::{Keyring, Known};
use super::sign::signature;
use super::time;
use crate::server::head::Head;

/// How far a signature's date may be from our clock, either way. Unit: seconds.
const SKEW_SECONDS: u64 = 5 * 60;
/// Longest life a signature in a query may claim: a week. Unit: seconds.
const EXPIRES_MAX_SECONDS: u64 = 7 * 24 * 3600;

/// The service that signatures name.
pub(super) const SERVICE: &str = "dynamodb";
const TERMINATOR: &str = "aws4_request";

fn incomplete(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::IncompleteSignatureException, message)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidSignatureException, message)
}

fn unrecognized() -> Error {
    Error::new(
        ErrorKind::UnrecognizedClientException,
        "The security token included in the request is invalid.",
    )
}

/// Who signed a request. `now` is in seconds since 1970. Errors: what the service would say.
pub(super) fn verify(
    keyring: &Keyring,
    head: &Head<'_>,
    body: &[u8],
    now: u64,
) -> Result<Arc<Caller>, Error> {
    judge(keyring, head, &hash(body), now)
}

/// The same, of a request whose body stands in its canonical form as `body_hash`.
fn judge(keyring: &Keyring, head: &Head<'_>, body_hash: &[u8], now: u64) -> Result<Arc<Caller>, Error> {
    let claim = Authorization::of(head)?;
    check_date(&claim, now)?;
    check_signed_headers(&claim, head)?;
    if claim.algorithm != "AWS4-HMAC-SHA256" {
        return Err(incomplete(format!(
            "Unsupported AWS 'algorithm': '{}' (only AWS4-HMAC-SHA256 for now). ",
            claim.algorithm
        )));
    }
    let (access_key, scope) = check_credential(&claim, keyring)?;
    let known = keyring.find(access_key).ok_or_else(unrecognized)?;
    let canonical = Canonical {
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        signed_headers: &claim.signed_headers,
        body_hash,
    };
    let canonical_hash = canonical.hash();
    let is_right = known.judge(scope, |key| {
        let expected = signature(key, &claim.date, scope, &canonical_hash);
        equal(&hex(expected.as_ref()), claim.signature.as_bytes())
    });
    if !is_right {
        return Err(mismatch(&canonical, &claim.date, scope, &canonical_hash));
    }
    admit(&known, claim.session_token.as_deref())
}

/// The word for a body whose hash is not part of the signature.
const UNSIGNED: &[u8] = b"UNSIGNED-PAYLOAD";

/// A call of another protocol that is signed as if it were a POST. For gRPC, whose clients know a call's path and metadata where
/// they sign, and mostly not its bytes.
#[derive(Debug, Clone, Copy)]
pub struct SignedCall<'a> {
    /// The path.
    pub path: &'a str,
    /// Names, in lower case, and values of what travels beside the message; `host` among them.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The message.
    pub message: &'a [u8],
}

impl Keyring {
    /// Who signed a call. `now` is in seconds since 1970. The message's own hash counts, unless the signed header
    /// `x-amz-content-sha256` says `UNSIGNED-PAYLOAD`. Errors: what the service would say.
    pub fn verify_call(&self, call: &SignedCall<'_>, now: u64) -> Result<Arc<Caller>, Error> {
        let headers: Vec<_> =
            call.headers.iter().map(|(name, value)| httparse::Header { name, value }).collect();
        let head = Head::new("POST", call.path, &headers);
        // Every `x-amz-` header there is must be signed, so nobody but the signer can have said it.
        match head.header("x-amz-content-sha256") {
            Some(UNSIGNED) => judge(self, &head, UNSIGNED, now),
            _ => verify(self, &head, call.message, now),
        }
    }
}

/// A text, and who claims to have signed it. For protocols that send along what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedText<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// The token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region of the scope.
    pub region: &'a str,
    /// What the signing key is derived for: day, region, service and terminator, joined by slashes.
    pub scope: &'a str,
    /// What was signed.
    pub text: &'a [u8],
    /// The signature, in lower-case hexadecimal.
    pub signature: &'a str,
}

impl Keyring {
    /// Who signed a text. Whether the text says what it should, its time and scope among it, is for the asker to judge, before
    /// this. Errors: `UnrecognizedClientException` for a key or token that is not known, `InvalidSignatureException` for a
    /// region or signature that is not right.
    pub fn verify_text(&self, signed: &SignedText<'_>) -> Result<Arc<Caller>, Error> {
        if self.region().is_some_and(|only| only != signed.region) {
            return Err(invalid(format!(
                "Credential should be scoped to a valid region, not '{}'.",
                signed.region
            )));
        }
        let known = self.find(signed.access_key).ok_or_else(unrecognized)?;
        let is_right = known.judge(signed.scope, |key| {
            equal(&hex(hmac::sign(key, signed.text).as_ref()), signed.signature.as_bytes())
        });
        if !is_right {
            return Err(invalid(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method. Consult the service documentation for details.",
            ));
        }
        admit(&known, signed.session_token.map(str::as_bytes))
    }
}

/// The caller whose signature was right, if the token that came with it is.
fn admit(known: &Known, token: Option<&[u8]>) -> Result<Arc<Caller>, Error> {
    let token_fits = match (&known.credentials.session_token, token) {
        (None, None) => true,
        (Some(wanted), Some(given)) => equal(wanted.as_bytes(), given),
        _ => false,
    };
    if token_fits { Ok(Arc::clone(&known.caller)) } else { Err(unrecognized()) }
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)));
    one.len() == other.len() && differing == 0
}

fn date_text(seconds: u64) -> String {
    String::from_utf8_lossy(&time::write(seconds)).into_owned()
}

fn check_date(claim: &Authorization<'_>, now: u64) -> Result<(), Error> {
    let signed = time::read(claim.date.as_bytes()).ok_or_else(|| {
        incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
            claim.date
        ))
    })?;
    let life =
        match &claim.expires {
            None => SKEW_SECONDS,
            Some(expires) => expires
                .parse()
                .ok()
                .filter(|seconds| (1..=EXPIRES_MAX_SECONDS).contains(seconds))
                .ok_or_else(|| incomplete("'X-Amz-Expires' must be a number of seconds from 1 to 604800."))?,
        };
    let oldest = now.saturating_sub(life);
    if signed < oldest {
        let minutes = life.div_ceil(60);
        return Err(invalid(format!(
            "Signature expired: {} is now earlier than {} ({} - {minutes} min.)",
            claim.date,
            date_text(oldest),
            date_text(now)
        )));
    }
    let latest = now + SKEW_SECONDS;
    if signed > latest {
        return Err(invalid(format!(
            "Signature not yet current: {} is still later than {} ({} + {} min.)",
            claim.date,
            date_text(latest),
            date_text(now),
            SKEW_SECONDS / 60
        )));
    }
    Ok(())
}

fn check_signed_headers(claim: &Authorization<'_>, head: &Head<'_>) -> Result<(), Error> {
    let is_signed =
        |wanted: &str| claim.signed_headers.split(';').any(|name| name.eq_ignore_ascii_case(wanted));
    if !is_signed("host") {
        return Err(invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let is_amazons = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    match head.headers.iter().find(|header| is_amazons(header.name) && !is_signed(header.name)) {
        None => Ok(()),
        Some(header) => {
            Err(invalid(format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", header.name)))
        }
    }
}

/// Splits a credential into the access key and the scope that follows it, and judges the scope.
fn check_credential<'a>(
    claim: &'a Authorization<'_>,
    keyring: &Keyring,
) -> Result<(&'a str, &'a str), Error> {
    let credential = claim.credential.trim_end_matches('/');
    let mut parts = credential.split('/');
    let (Some(access_key), Some(date), Some(region), Some(service), Some(terminator), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
            claim.credential
        )));
    };
    let right_region = keyring.region().map_or(!region.is_empty(), |only| only == region);
    let day = claim.date.get(..8).unwrap_or_default();
    if right_region && service == SERVICE && terminator == TERMINATOR && date == day {
        return Ok((access_key, &credential[access_key.len() + 1..]));
    }
    let mut wrong: Vec<String> = Vec::new();
    if !right_region {
        wrong.push(format!("Credential should be scoped to a valid region, not '{region}'. "));
    }
    if service != SERVICE {
        wrong.push(format!("Credential should be scoped to correct service: '{SERVICE}'. "));
    }
    if terminator != TERMINATOR {
        wrong.push(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
        ));
    }
    if date != day {
        wrong.push(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '{date}' != '{day}', from '{}'. ",
            claim.date
        ));
    }
    Err(invalid(wrong.concat().trim_end().to_owned()))
}

fn mismatch(canonical: &Canonical<'_>, date: &str, scope: &str, canonical_hash: &[u8]) -> Error {
    invalid(format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this \
         request should have been\n'{}'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n{date}\n{scope}\n{}'\n",
        canonical.text(),
        String::from_utf8_lossy(canonical_hash),
    ))
}
