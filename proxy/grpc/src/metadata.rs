//! What travels beside a message.
//!
//! Names are the same as HTTP's headers where those exist. What a peer says of the original caller is written by a client on a
//! trusted lane only, and read by a server on one only.

use std::time::Duration;

use api::{Error, Source, Version, token};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Requests: where `message`, errors come in place of the answer, see `proto/dynamodb.proto`.
pub const ERRORS: HeaderName = HeaderName::from_static("x-forebay-errors");
/// Its value.
pub const IN_MESSAGE: &str = "message";
/// Answers that are errors in place of the answer: DynamoDB's name of it.
pub const ERROR: HeaderName = HeaderName::from_static("x-forebay-error");
/// How long the caller waits.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Of peers: the access key of the original caller.
pub const CALLER: HeaderName = HeaderName::from_static("x-forebay-caller");
/// Of peers: the id of the original request, in hexadecimal.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-forebay-request-id");
/// Of peers: how many times the request was forwarded.
pub const HOPS: HeaderName = HeaderName::from_static("x-forebay-hops");

/// The longest time that has eight digits of milliseconds.
const TIMEOUT_MILLIS_MAX: u128 = 99_999_999;

/// Reads a `grpc-timeout`; `None` for what is none. Source: the gRPC over HTTP/2 specification.
pub fn read_timeout(value: &HeaderValue) -> Option<Duration> {
    let text = value.as_bytes();
    let (unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount = digits.iter().fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Writes a `grpc-timeout`, in whole milliseconds and at least one.
pub fn write_timeout(wait: Duration) -> HeaderValue {
    let millis = wait.as_millis().clamp(1, TIMEOUT_MILLIS_MAX);
    HeaderValue::try_from(format!("{millis}m")).expect("digits and a letter")
}

/// Writes a version.
pub fn write_version(version: &Version) -> HeaderValue {
    let mut text = Vec::with_capacity(token::TOKEN_BYTES);
    token::write(version, &mut text);
    HeaderValue::try_from(text).expect("a token is digits, letters and points")
}

/// Reads the version of an answer.
pub fn read_version(metadata: &HeaderMap) -> Option<Version> {
    token::read(metadata.get(token::VERSION_HEADER)?.as_bytes())
}

/// What a request asks of the freshness of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freshness {
    /// This version or a later one.
    pub min_version: Option<Version>,
    /// No staler than this.
    pub max_staleness: Option<Duration>,
}

impl Freshness {
    /// Reads it. Errors: `ValidationException` for what is no token and no number.
    pub fn of(metadata: &HeaderMap) -> Result<Freshness, Error> {
        let bad =
            |name: &str, wanted: &str| Error::validation(format!("The metadata {name} must hold {wanted}."));
        let mut freshness = Freshness::default();
        if let Some(text) = metadata.get(token::MIN_VERSION_HEADER) {
            let version = token::read(text.as_bytes().trim_ascii())
                .ok_or_else(|| bad(token::MIN_VERSION_HEADER, "a token from x-forebay-version"))?;
            freshness.min_version = Some(version);
        }
        if let Some(text) = metadata.get(token::MAX_STALENESS_HEADER) {
            let millis = text.to_str().ok().and_then(|text| text.trim().parse().ok());
            let millis =
                millis.ok_or_else(|| bad(token::MAX_STALENESS_HEADER, "a number of milliseconds"))?;
            freshness.max_staleness = Some(Duration::from_millis(millis));
        }
        Ok(freshness)
    }
}

/// The word for where a read was answered from.
pub const fn source_name(source: Source) -> &'static str {
    match source {
        Source::Cache => "hit",
        Source::Store => "miss",
        Source::Mixed => "mixed",
    }
}

/// Where a read was answered from.
pub fn read_source(metadata: &HeaderMap) -> Source {
    match metadata.get(token::CACHE_HEADER).map(HeaderValue::as_bytes) {
        Some(b"hit") => Source::Cache,
        Some(b"mixed") => Source::Mixed,
        _ => Source::Store,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_reads_back_within_a_millisecond() {
        for millis in [1, 999, 10_000, 99_999_999] {
            let wait = Duration::from_millis(millis);
            assert_eq!(read_timeout(&write_timeout(wait)), Some(wait));
        }
        assert_eq!(read_timeout(&write_timeout(Duration::ZERO)), Some(Duration::from_millis(1)));
        assert_eq!(read_timeout(&HeaderValue::from_static("2H")), Some(Duration::from_secs(7200)));
        assert_eq!(
            read_timeout(&HeaderValue::from_static("99999999n")),
            Some(Duration::from_nanos(99_999_999))
        );
    }

    #[test]
    fn anything_else_is_no_timeout() {
        for text in ["", "S", "1", "123456789S", "-1S", "1.5S", "1s", "1 S"] {
            assert_eq!(read_timeout(&HeaderValue::from_static(text)), None, "{text}");
        }
    }
}
