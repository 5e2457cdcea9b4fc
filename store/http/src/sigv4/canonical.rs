//! The canonical form of a request, of which a signature is made.
//!
//! Written piece by piece into whatever takes it: a hash when verifying, a text for the message when that failed.

use std::borrow::Cow;

use httparse::Header;
use ring::digest;

/// Hexadecimal of a hash.
pub(super) type Hex = [u8; 64];

/// The parts of a request that a signature covers.
pub(super) struct Canonical<'a> {
    pub(super) method: &'a str,
    /// Path and query as sent.
    pub(super) uri: &'a str,
    pub(super) headers: &'a [Header<'a>],
    /// Lower-case names joined by semicolons, in the order they are signed.
    pub(super) signed_headers: &'a str,
    /// In hexadecimal, or a word that stands for a hash that nobody made.
    pub(super) body_hash: &'a [u8],
}

/// SHA-256 in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> Hex {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(super) fn hex(bytes: &[u8]) -> Hex {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

impl Canonical<'_> {
    /// The hash of the canonical request.
    pub(super) fn hash(&self) -> Hex {
        let mut context = digest::Context::new(&digest::SHA256);
        self.write(|piece| context.update(piece));
        hex(context.finish().as_ref())
    }

    /// The canonical request as text.
    pub(super) fn text(&self) -> String {
        let mut text = Vec::with_capacity(512);
        self.write(|piece| text.extend_from_slice(piece));
        String::from_utf8_lossy(&text).into_owned()
    }

    fn write(&self, mut piece: impl FnMut(&[u8])) {
        let (path, query) = self.uri.split_once('?').unwrap_or((self.uri, ""));
        piece(self.method.as_bytes());
        piece(b"\n");
        write_path(path, &mut piece);
        piece(b"\n");
        if !query.is_empty() {
            piece(canonical_query(query).as_bytes());
        }
        piece(b"\n");
        for name in self.signed_headers.split(';').filter(|name| !name.is_empty()) {
            piece(name.as_bytes());
            let mut separator: &[u8] = b":";
            for header in self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)) {
                piece(separator);
                write_value(header.value, &mut piece);
                separator = b",";
            }
            if separator == b":" {
                piece(b":");
            }
            piece(b"\n");
        }
        piece(b"\n");
        piece(self.signed_headers.as_bytes());
        piece(b"\n");
        piece(self.body_hash);
    }
}

/// A header's value, trimmed, runs of blanks as one.
fn write_value(value: &[u8], piece: &mut impl FnMut(&[u8])) {
    let value = value.trim_ascii();
    if !value.windows(2).any(|two| two == b"  ") {
        return piece(value);
    }
    for (index, word) in value.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).enumerate() {
        if index > 0 {
            piece(b" ");
        }
        piece(word);
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// The path without dot segments and doubled slashes, its bytes encoded once more than they came.
fn write_path(path: &str, piece: &mut impl FnMut(&[u8])) {
    if path == "/" || path.is_empty() {
        return piece(b"/");
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        piece(b"/");
        piece(encode(segment.as_bytes()).as_bytes());
    }
    if segments.is_empty() || path.ends_with('/') {
        piece(b"/");
    }
}

pub(super) fn encode(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if is_unreserved(*byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
    text
}

/// Undoes percent encoding. What is not validly encoded stays as it is.
pub(super) fn decode(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(plain)
}

/// The parameters of a query, decoded, in the order they came.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// Sorted, encoded, without the signature itself.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = parameters(query)
        .filter(|(name, _)| &name[..] != b"X-Amz-Signature")
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}
