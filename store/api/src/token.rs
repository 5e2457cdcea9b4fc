//! Versions as clients see them: an opaque token, and the headers or metadata that carry it and its like.
//!
//! Shape: `1.` (the form's number), then incarnation, shard and index in hexadecimal without leading zeros, joined by
//! dots. Clients must not read anything into it.

use crate::Version;

/// Answers: the version the answer was read or committed at.
pub const VERSION_HEADER: &str = "x-forebay-version";
/// Answers to reads: `hit`, `miss` or `mixed`.
pub const CACHE_HEADER: &str = "x-forebay-cache";
/// Requests: answer at this version or a later one.
pub const MIN_VERSION_HEADER: &str = "x-forebay-min-version";
/// Requests: answer from a cache or replica only if it is no staler than this. Unit: milliseconds.
pub const MAX_STALENESS_HEADER: &str = "x-forebay-max-staleness";

/// Longest token, bytes: the form's number and three fields of at most 16, 8 and 16 digits.
pub const TOKEN_BYTES: usize = 2 + 16 + 1 + 8 + 1 + 16;

/// Appends the token of a version.
pub fn write(version: &Version, out: &mut Vec<u8>) {
    out.extend_from_slice(b"1.");
    write_hex(version.incarnation, out);
    out.push(b'.');
    write_hex(u64::from(version.shard), out);
    out.push(b'.');
    write_hex(version.index, out);
}

/// Reads a token; `None` for anything [`write`] would not have written.
pub fn read(token: &[u8]) -> Option<Version> {
    let mut fields = token.strip_prefix(b"1.")?.split(|byte| *byte == b'.');
    let incarnation = read_hex(fields.next()?)?;
    let shard = u32::try_from(read_hex(fields.next()?)?).ok()?;
    let index = read_hex(fields.next()?)?;
    fields.next().is_none().then_some(Version { incarnation, shard, index })
}

fn write_hex(number: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(DIGITS[(number >> (place * 4)) as usize & 15]);
    }
}

fn read_hex(text: &[u8]) -> Option<u64> {
    let canonical = !text.is_empty() && text.len() <= 16 && (text[0] != b'0' || text.len() == 1);
    if !canonical {
        return None;
    }
    text.iter().try_fold(0, |number: u64, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_its_version() {
        for (incarnation, shard, index) in
            [(0, 0, 0), (1, 0, 0x10), (u64::MAX, u32::MAX, u64::MAX), (7, 3, 1 << 60)]
        {
            let version = Version { incarnation, shard, index };
            let mut token = Vec::new();
            write(&version, &mut token);
            assert!(token.len() <= TOKEN_BYTES);
            assert_eq!(read(&token), Some(version));
        }
    }

    #[test]
    fn anything_else_is_not_a_token() {
        for text in [
            "",
            "1.",
            "1.0.0",
            "1.0.0.0.0",
            "2.0.0.0",
            "1.00.0.0",
            "1.0.100000000.0",
            "1.g.0.0",
            "1.-1.0.0",
            "1...0",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
