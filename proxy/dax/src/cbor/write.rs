//! Appends values to a byte vector, heads in their shortest form.

use super::{major, simple};

const DOUBLE_HEAD: u8 = (major::SIMPLE << 5) | simple::DOUBLE;
/// What [`open_map`] appends.
pub const OPEN_MAP: u8 = major::MAP << 5 | super::INDEFINITE;
/// What [`close`] appends.
pub const CLOSE: u8 = 0xFF;

/// The shortest head of a major type and argument, and its length.
fn shortest(major: u8, argument: u64) -> ([u8; 9], usize) {
    let mut head = [0; 9];
    let first = major << 5;
    let bytes = argument.to_be_bytes();
    let (info, from) = match argument {
        0..24 => (argument as u8, 8),
        24..0x100 => (24, 7),
        0x100..0x1_0000 => (25, 6),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 0),
    };
    head[0] = first | info;
    if info < 24 {
        return (head, 1);
    }
    let argument = &bytes[from..];
    head[1..=argument.len()].copy_from_slice(argument);
    (head, 1 + argument.len())
}

#[inline]
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    if argument < 24 {
        out.push(major << 5 | argument as u8);
        return;
    }
    let (head, bytes) = shortest(major, argument);
    out.extend_from_slice(&head[..bytes]);
}

/// An integer.
pub fn int(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => head(out, major::UNSIGNED, value),
        // Of a negative number, the complement is -1 - n.
        Err(_) => head(out, major::NEGATIVE, !value as u64),
    }
}

/// An integer without sign.
pub fn unsigned(out: &mut Vec<u8>, value: u64) {
    head(out, major::UNSIGNED, value);
}

/// The integer `-1 - value`.
pub fn negative(out: &mut Vec<u8>, value: u64) {
    head(out, major::NEGATIVE, value);
}

/// A byte string.
pub fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, major::BYTES, value.len() as u64);
    out.extend_from_slice(value);
}

/// A text string.
pub fn text(out: &mut Vec<u8>, value: &str) {
    head(out, major::TEXT, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// A text string, or null.
pub fn text_or_null(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => null(out),
    }
}

/// The head of an array of so many elements.
pub fn array(out: &mut Vec<u8>, elements: usize) {
    head(out, major::ARRAY, elements as u64);
}

/// The head of a map of so many entries.
pub fn map(out: &mut Vec<u8>, entries: usize) {
    head(out, major::MAP, entries as u64);
}

/// The head of a map that [`close`] ends.
pub fn open_map(out: &mut Vec<u8>) {
    out.push(OPEN_MAP);
}

/// Ends what [`open_map`] began.
pub fn close(out: &mut Vec<u8>) {
    out.push(CLOSE);
}

/// A tag; the value it marks is to follow.
pub fn tag(out: &mut Vec<u8>, number: u64) {
    head(out, major::TAG, number);
}

/// `true` or `false`.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(major::SIMPLE << 5 | if value { simple::TRUE } else { simple::FALSE });
}

/// `null`.
pub fn null(out: &mut Vec<u8>) {
    out.push(major::SIMPLE << 5 | simple::NULL);
}

/// A number as a double; always nine bytes, since not every client reads shorter floats.
pub fn double(out: &mut Vec<u8>, value: f64) {
    out.push(DOUBLE_HEAD);
    out.extend_from_slice(&value.to_be_bytes());
}

/// A byte string of whatever `content` appends. The content is moved once, behind its head.
pub fn wrapped<T>(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let start = out.len();
    let result = content(out);
    let length = out.len() - start;
    let (head, bytes) = shortest(major::BYTES, length as u64);
    out.resize(start + length + bytes, 0);
    out.copy_within(start..start + length, start + bytes);
    out[start..start + bytes].copy_from_slice(&head[..bytes]);
    result
}
