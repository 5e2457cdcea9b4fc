//! The order-preserving byte form of key values.
//!
//! The invariant: of two values of one type, the smaller has the smaller bytes, equal values have equal bytes, and no
//! form is a prefix of another, so that forms laid one after the other (partition key, sort key, the table's key behind an
//! index's) sort by their parts and come apart again without lengths. Which type a form has is the schema's to know.
//!
//! - String and binary: the bytes, each `00` as `00 FF`, then `00 00`.
//! - Number: one byte of sign (`01` negative, `02` zero, `03` positive); then, unless zero, one byte of magnitude (the
//!   power of ten of the first digit, plus 130), the digits in pairs from the first on, each pair plus one, then `00`.
//!   Everything after the sign is inverted for negative numbers.

use bytes::Bytes;

use crate::limits::{NUMBER_DIGITS, NUMBER_EXPONENT_MIN};
use crate::value::{AttributeValue, Number, ValueType};

const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;
/// Ends a number's digits. Below every pair, so that a number sorts before those that go on.
const DIGITS_END: u8 = 0;
/// Follows a `00` that belongs to the value.
const ESCAPED: u8 = 0xFF;
/// Follows the `00` that ends the value. Below [`ESCAPED`], so that a value sorts before those that go on.
const END: u8 = 0x00;

/// Most bytes of a number's form: sign, magnitude, 19 pairs, end.
pub const NUMBER_FORM_BYTES: usize = 3 + NUMBER_DIGITS / 2;

/// Appends the form of a key value. `None`, and nothing appended, where the value is not of a key's type (S, N, B).
pub fn encode_into(value: &AttributeValue, out: &mut Vec<u8>) -> Option<()> {
    match value {
        AttributeValue::S(text) => encode_bytes(text.as_bytes(), out),
        AttributeValue::B(bytes) => encode_bytes(bytes, out),
        AttributeValue::N(number) => encode_number(number, out),
        _ => return None,
    }
    Some(())
}

/// The form of a key value; `None` where the value is not of a key's type.
pub fn encode(value: &AttributeValue) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Some(out)
}

/// Appends the form of a string's or binary's bytes.
pub fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out);
    out.extend_from_slice(&[0, END]);
}

/// What the forms of all strings or binaries that begin with `prefix` begin with. No other form begins with it.
pub fn prefix_form(prefix: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(prefix.len() + 2);
    escape(prefix, &mut out);
    out
}

/// The smallest bytes above everything that begins with `prefix`; `None` where there is no such bound.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xFF)?;
    let mut bound = prefix[..=last].to_vec();
    bound[last] += 1;
    Some(bound)
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&rest[..zero]);
        out.extend_from_slice(&[0, ESCAPED]);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends the form of a number.
pub fn encode_number(number: &Number, out: &mut Vec<u8>) {
    if *number == Number::ZERO {
        out.push(ZERO);
        return;
    }
    let mut form = [0u8; NUMBER_FORM_BYTES];
    form[0] = (number.magnitude() - NUMBER_EXPONENT_MIN) as u8;
    let count = number.digits();
    let mut digits = number.mantissa().unsigned_abs();
    if !count.is_multiple_of(2) {
        digits *= 10;
    }
    let pairs = count.div_ceil(2) as usize;
    for at in (1..=pairs).rev() {
        form[at] = (digits % 100) as u8 + 1;
        digits /= 100;
    }
    form[pairs + 1] = DIGITS_END;
    let form = &mut form[..pairs + 2];
    if number.is_negative() {
        form.iter_mut().for_each(|byte| *byte = !*byte);
        out.push(NEGATIVE);
    } else {
        out.push(POSITIVE);
    }
    out.extend_from_slice(form);
}

/// How many bytes the form of a value of that type takes at the start of `bytes`. `None` where there is none.
pub fn form_len(value_type: ValueType, bytes: &[u8]) -> Option<usize> {
    match value_type {
        ValueType::S | ValueType::B => {
            let mut at = 0;
            loop {
                at += bytes.get(at..)?.iter().position(|&byte| byte == 0)?;
                match *bytes.get(at + 1)? {
                    END => return Some(at + 2),
                    ESCAPED => at += 2,
                    _ => return None,
                }
            }
        }
        ValueType::N => {
            let end = match *bytes.first()? {
                ZERO => return Some(1),
                POSITIVE => DIGITS_END,
                NEGATIVE => !DIGITS_END,
                _ => return None,
            };
            let digits = bytes.get(2..bytes.len().min(NUMBER_FORM_BYTES + 1))?;
            Some(2 + digits.iter().position(|&byte| byte == end)? + 1)
        }
        _ => None,
    }
}

/// Reads a value of that type at the start of `bytes`, and the bytes behind it. `None` where there is no such value;
/// never panics, whatever the bytes.
pub fn decode(value_type: ValueType, bytes: &[u8]) -> Option<(AttributeValue, &[u8])> {
    let len = form_len(value_type, bytes)?;
    let (form, rest) = bytes.split_at_checked(len)?;
    let value = match value_type {
        ValueType::S => AttributeValue::S(String::from_utf8(unescape(form)?).ok()?),
        ValueType::B => AttributeValue::B(Bytes::from(unescape(form)?)),
        ValueType::N => AttributeValue::N(decode_number(form)?),
        _ => return None,
    };
    Some((value, rest))
}

fn unescape(form: &[u8]) -> Option<Vec<u8>> {
    let mut rest = form.strip_suffix(&[0, END])?;
    let mut out = Vec::with_capacity(rest.len());
    while let Some(zero) = rest.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        rest = rest.get(zero + 2..)?;
    }
    out.extend_from_slice(rest);
    Some(out)
}

fn decode_number(form: &[u8]) -> Option<Number> {
    let (&sign, form) = form.split_first()?;
    if sign == ZERO {
        return Some(Number::ZERO);
    }
    let invert = if sign == NEGATIVE { 0xFF } else { 0 };
    let (&magnitude, pairs) = form.split_first()?;
    let (_, pairs) = pairs.split_last()?;
    let mut mantissa: i128 = 0;
    for &pair in pairs {
        let pair = (pair ^ invert).checked_sub(1).filter(|pair| *pair < 100)?;
        mantissa = mantissa.checked_mul(100)?.checked_add(i128::from(pair))?;
    }
    // The first digit is never 0, so that every number has one form only.
    if mantissa == 0 || (pairs[0] ^ invert) <= 10 {
        return None;
    }
    let exponent = i32::from(magnitude ^ invert) + NUMBER_EXPONENT_MIN - (2 * pairs.len() as i32 - 1);
    let number = Number::from_parts(if sign == NEGATIVE { -mantissa } else { mantissa }, exponent).ok()?;
    // Trailing pairs of zeros would be a second form of the same number.
    (pairs.len() as u32 == number.digits().div_ceil(2)).then_some(number)
}

#[cfg(test)]
mod tests;
