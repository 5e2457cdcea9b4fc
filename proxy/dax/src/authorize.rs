//! Who calls, from what a client claims on its connection.
//!
//! The signature is SigV4 with an unusual split: the client sends the string that it signed, and the request it stands for is
//! always the same but for its time. So this room judges the string (form, time, scope, request), and whoever holds the
//! secrets judges key, token and signature, see [`Signers`]. Clients sign anew about every 150 seconds and take an
//! authorisation to last 300.

use std::sync::Arc;

use api::service::Caller;
use api::{Error, ErrorKind};
use ring::digest;

use crate::codec::handshake::AuthorizeConnection;

/// How far a signature's time may be from our clock, either way. Unit: seconds.
const SKEW_SECONDS: u64 = 5 * 60;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(crate) const SERVICE: &str = "dax";
pub(crate) const TERMINATOR: &str = "aws4_request";

/// The hosts that clients sign for: most without, Go with the scheme.
pub(crate) const HOSTS: [&str; 2] = ["dax.amazonaws.com", "https://dax.amazonaws.com"];

/// SHA-256 of no bytes, the payload of the request that is signed for.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A claim whose string is sound: what is left is whether the secret of the key made the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// The token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region of the scope.
    pub region: &'a str,
    /// What the signing key is derived for: day, region, service and terminator, joined by slashes.
    pub scope: &'a str,
    /// What was signed.
    pub string_to_sign: &'a [u8],
    /// The signature, in lower-case hexadecimal.
    pub signature: &'a str,
}

/// Holds the secrets of access keys.
pub trait Signers: Send + Sync + 'static {
    /// Who made a signature. Compares in constant time. Errors: `UnrecognizedClientException` for a key or token that is not
    /// known, `InvalidSignatureException` for a region or signature that is not right.
    fn verify(&self, signed: Signed<'_>) -> Result<Arc<Caller>, Error>;
}

fn incomplete(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::IncompleteSignatureException, message)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidSignatureException, message)
}

/// Who makes a claim. `now` is in seconds since 1970. Errors: what the next request is to be told.
pub fn check(claim: &AuthorizeConnection<'_>, signers: &dyn Signers, now: u64) -> Result<Arc<Caller>, Error> {
    let text = std::str::from_utf8(claim.string_to_sign)
        .map_err(|_| incomplete("The string to sign is not UTF-8."))?;
    let mut lines = text.split('\n');
    let (Some(algorithm), Some(time), Some(scope), Some(hash), None) =
        (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(incomplete("The string to sign must have exactly 4 lines."));
    };
    if algorithm != ALGORITHM {
        return Err(incomplete(format!(
            "Unsupported AWS 'algorithm': '{algorithm}' (only {ALGORITHM} for now)."
        )));
    }
    check_time(time, now)?;
    let mut parts = scope.split('/');
    let (Some(day), Some(region), Some(service), Some(terminator), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(incomplete(format!(
            "The scope must have exactly 4 slash-delimited elements, got '{scope}'."
        )));
    };
    if !time.starts_with(day) || day.len() != DAY_CHARACTERS {
        return Err(invalid(format!(
            "Date in Credential scope does not match: '{day}' is not the day of '{time}'."
        )));
    }
    if region.is_empty() {
        return Err(invalid("Credential should be scoped to a valid region."));
    }
    if service != SERVICE {
        return Err(invalid(format!("Credential should be scoped to correct service: '{SERVICE}'.")));
    }
    if terminator != TERMINATOR {
        return Err(invalid(format!("Credential should be scoped with a valid terminator: '{TERMINATOR}'.")));
    }
    if !HOSTS.iter().any(|host| request_hash(host, time) == hash) {
        return Err(invalid("The string to sign is not that of a DAX connection."));
    }
    signers.verify(Signed {
        access_key: claim.access_key,
        session_token: claim.session_token,
        region,
        scope,
        string_to_sign: claim.string_to_sign,
        signature: claim.signature,
    })
}

const DAY_CHARACTERS: usize = 8;

fn check_time(time: &str, now: u64) -> Result<(), Error> {
    let signed = seconds(time)
        .ok_or_else(|| incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{time}'.")))?;
    if signed + SKEW_SECONDS < now {
        return Err(invalid(format!(
            "Signature expired: {time} is more than {} minutes ago. Check the clock of the client.",
            SKEW_SECONDS / 60
        )));
    }
    if signed > now + SKEW_SECONDS {
        return Err(invalid(format!(
            "Signature not yet current: {time} is more than {} minutes ahead. Check the clock of the client.",
            SKEW_SECONDS / 60
        )));
    }
    Ok(())
}

/// The hash of the canonical request, in hexadecimal.
pub(crate) fn request_hash(host: &str, time: &str) -> String {
    let request = format!("POST\n/\n\nhost:{host}\nx-amz-date:{time}\n\nhost;x-amz-date\n{EMPTY_HASH}");
    hexadecimal(digest::digest(&digest::SHA256, request.as_bytes()).as_ref())
}

/// Bytes as lower-case digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

/// Seconds since 1970 of a time like `20130609T095204Z`; `None` for what is none.
pub(crate) fn seconds(time: &str) -> Option<u64> {
    let time = time.as_bytes();
    if time.len() != 16 || time[8] != b'T' || time[15] != b'Z' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        time[range].iter().try_fold(0u64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
        })
    };
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    let sound = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !sound || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March end with the leap day, so that months before it have fixed lengths.
    let shifted_year = year - u64::from(month <= 2);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = shifted_year * 365 + leap_days + (153 * march_month + 2) / 5 + day - 1;
    // Days from the first of March of the year 0 to 1970.
    let since_1970 = days.checked_sub(719_468)?;
    Some(since_1970 * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
pub(crate) mod tests;
