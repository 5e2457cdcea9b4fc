//! Numbers: as integers, bignums and decimal fractions, and as sort keys whose bytes sort as the numbers do.
//!
//! Clients write one number in many ways, trailing zeros and all; what is read is canonical, so equal numbers are equal
//! keys. What is written is canonical too: an integer where it fits 64 bits, a bignum where it is whole, else a fraction.

use std::fmt::Write;

use api::value::number::NumberError;
use api::{Error, Number};

use super::malformed;
use crate::cbor::{Kind, Reader, write};

/// Tags of bignums and decimal fractions. Source: RFC 8949, section 3.4.
const BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;
const FRACTION: u64 = 4;

/// Bytes of a bignum that may still be below 10^126. Longer ones overflow.
const BIGNUM_BYTES: usize = 53;
/// Limbs of 32 bits for as many bytes.
const LIMBS: usize = BIGNUM_BYTES.div_ceil(4);
/// Digits of the largest whole number.
const WHOLE_DIGITS: u32 = 126;

/// Appends a number.
pub fn write_number(out: &mut Vec<u8>, number: &Number) {
    if let Some(small) = number.to_i64() {
        return write::int(out, small);
    }
    let (mantissa, exponent) = (number.mantissa(), number.exponent());
    let Ok(zeros) = u32::try_from(exponent) else {
        write::tag(out, FRACTION);
        write::array(out, 2);
        write::int(out, i64::from(exponent));
        return write_whole(out, mantissa.is_negative(), Big::from(mantissa.unsigned_abs()));
    };
    let mut whole = Big::from(mantissa.unsigned_abs());
    (0..zeros).for_each(|_| whole.multiply_add(10, 0));
    write_whole(out, mantissa.is_negative(), whole);
}

fn write_whole(out: &mut Vec<u8>, negative: bool, mut magnitude: Big) {
    if negative {
        // CBOR keeps -1 - n.
        magnitude.decrement();
    }
    match (magnitude.to_u64(), negative) {
        (Some(small), false) => write::unsigned(out, small),
        (Some(small), true) => write::negative(out, small),
        (None, _) => {
            write::tag(out, if negative { NEGATIVE_BIGNUM } else { BIGNUM });
            let bytes = magnitude.to_bytes();
            let leading = bytes.iter().take_while(|byte| **byte == 0).count();
            write::bytes(out, &bytes[leading..]);
        }
    }
}

/// Reads a number. Errors: the service's for one out of range or too precise, `SerializationException` for what is none.
pub fn read_number(reader: &mut Reader<'_>) -> Result<Number, Error> {
    match reader.kind()? {
        Kind::Int => Ok(Number::from_parts(reader.int()?, 0)?),
        Kind::Double => read_double(reader.double()?),
        Kind::Tag => match reader.tag()? {
            tag @ (BIGNUM | NEGATIVE_BIGNUM) => {
                Ok(read_bignum(tag == NEGATIVE_BIGNUM, reader.bytes()?)?.number(0)?)
            }
            FRACTION => read_fraction(reader),
            _ => Err(malformed("a tag that marks no number")),
        },
        _ => Err(malformed("a value that is no number")),
    }
}

/// The shortest decimal that reads back as the double is what the client was given.
fn read_double(value: f64) -> Result<Number, Error> {
    let mut text = ShortText { bytes: [0; 40], length: 0 };
    // The longest form has 17 digits, signs, a point and an exponent of three digits.
    write!(text, "{value:e}").map_err(|_| malformed("a double"))?;
    Ok(Number::parse(text.as_str())?)
}

fn read_fraction(reader: &mut Reader<'_>) -> Result<Number, Error> {
    let mut parts = reader.array()?;
    if !parts.more(reader)? {
        return Err(malformed("a decimal fraction without exponent"));
    }
    // An exponent beyond 32 bits is as far out of range as the nearest one within.
    let exponent = reader.int()?.clamp(i128::from(i32::MIN), i128::from(i32::MAX)) as i32;
    if !parts.more(reader)? {
        return Err(malformed("a decimal fraction without mantissa"));
    }
    let number = match reader.kind()? {
        Kind::Int => Number::from_parts(reader.int()?, exponent)?,
        Kind::Tag => match reader.tag()? {
            tag @ (BIGNUM | NEGATIVE_BIGNUM) => {
                read_bignum(tag == NEGATIVE_BIGNUM, reader.bytes()?)?.number(exponent)?
            }
            _ => return Err(malformed("a decimal fraction whose mantissa is no integer")),
        },
        _ => return Err(malformed("a decimal fraction whose mantissa is no integer")),
    };
    if parts.more(reader)? {
        return Err(malformed("a decimal fraction of more than two parts"));
    }
    Ok(number)
}

/// A whole number without its trailing zeros, as far as they had to go to make it fit.
struct Whole {
    mantissa: i128,
    zeros: i32,
}

impl Whole {
    fn number(&self, exponent: i32) -> Result<Number, NumberError> {
        Number::from_parts(self.mantissa, exponent.saturating_add(self.zeros))
    }
}

fn read_bignum(negative: bool, bytes: &[u8]) -> Result<Whole, NumberError> {
    let leading = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[leading..];
    if bytes.len() > BIGNUM_BYTES {
        return Err(NumberError::Overflow);
    }
    let mut big = Big::default();
    bytes.iter().for_each(|byte| big.multiply_add(256, u32::from(*byte)));
    if negative {
        big.multiply_add(1, 1);
    }
    let mut zeros = 0;
    let mut lost = false;
    let magnitude = loop {
        if let Some(magnitude) = big.to_i128() {
            break magnitude;
        }
        lost |= big.divide(10) != 0;
        zeros += 1;
    };
    if lost {
        // A digit that is not 0 behind 38 others. The magnitude is judged before the precision.
        let digits = magnitude.checked_ilog10().unwrap_or(0) + 1 + zeros;
        return Err(if digits > WHOLE_DIGITS { NumberError::Overflow } else { NumberError::TooPrecise });
    }
    Ok(Whole { mantissa: if negative { -magnitude } else { magnitude }, zeros: zeros as i32 })
}

/// A magnitude of up to 53 bytes; limbs of 32 bits, least first.
#[derive(Debug, Clone, Copy, Default)]
struct Big([u32; LIMBS]);

impl From<u128> for Big {
    fn from(value: u128) -> Big {
        let mut big = Big::default();
        for (at, limb) in big.0.iter_mut().take(4).enumerate() {
            *limb = (value >> (32 * at)) as u32;
        }
        big
    }
}

impl Big {
    /// Times `factor` plus `more`. What does not fit is lost; no caller gets there.
    fn multiply_add(&mut self, factor: u32, more: u32) {
        let mut carry = u64::from(more);
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
    }

    /// Divides, and gives the remainder. Panics never: the divisor is a constant that is not 0.
    fn divide(&mut self, divisor: u32) -> u32 {
        let mut remainder = 0;
        for limb in self.0.iter_mut().rev() {
            let dividend = (remainder << 32) | u64::from(*limb);
            *limb = (dividend / u64::from(divisor)) as u32;
            remainder = dividend % u64::from(divisor);
        }
        remainder as u32
    }

    /// Minus one, of what is not 0.
    fn decrement(&mut self) {
        for limb in &mut self.0 {
            let (less, borrow) = limb.overflowing_sub(1);
            *limb = less;
            if !borrow {
                return;
            }
        }
    }

    fn to_u64(self) -> Option<u64> {
        let high = self.0[2..].iter().all(|limb| *limb == 0);
        high.then(|| u64::from(self.0[1]) << 32 | u64::from(self.0[0]))
    }

    fn to_i128(self) -> Option<i128> {
        let high = self.0[4..].iter().all(|limb| *limb == 0);
        let low = (0..4).fold(0, |value, at| value | u128::from(self.0[at]) << (32 * at));
        high.then(|| i128::try_from(low).ok()).flatten()
    }

    /// Most significant byte first.
    fn to_bytes(self) -> [u8; LIMBS * 4] {
        let mut bytes = [0; LIMBS * 4];
        for (chunk, limb) in bytes.rchunks_exact_mut(4).zip(self.0) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        bytes
    }
}

/// Text of at most 40 bytes, on the stack.
struct ShortText {
    bytes: [u8; 40],
    length: usize,
}

impl ShortText {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for ShortText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// The one byte of zero.
const ZERO: u8 = 0x80;
/// Also read as zero.
const NEGATIVE_ZERO: u8 = 0x7F;
/// Headers of numbers whose exponent has four bytes of its own: smaller and larger than those of one byte.
const SMALL: u8 = 0x81;
const LARGE: u8 = 0xFE;
/// One-byte headers of positive numbers are this plus the exponent, -62 to 61.
const POSITIVE: i32 = 0xC0;
/// One-byte headers of negative numbers are this minus the exponent.
const NEGATIVE: i32 = 0x3F;
const SHORT_EXPONENTS: std::ops::RangeInclusive<i32> = -62..=61;
/// Digits of the longest whole number that is written with the zeros at its end: as many as a number can have that matter.
const SORTABLE_WHOLE_DIGITS: u32 = 38;

/// Appends a number so that bytes sort as numbers do.
///
/// Shape: a header of sign and exponent, then the digits in threes, ten bits each, then ten bits that end them. One number
/// has one form here; a client that keeps trailing zeros has more. A whole number of up to [`SORTABLE_WHOLE_DIGITS`] keeps
/// the zeros at its end: of one without, clients make `1E+1` where `10` was written.
pub fn write_sortable(out: &mut Vec<u8>, number: &Number) {
    if *number == Number::ZERO {
        out.push(ZERO);
        return;
    }
    let negative = number.is_negative();
    // The number is a fraction below 1 with a first digit that is not 0, times ten to this.
    let exponent = number.magnitude() + 1;
    match (SHORT_EXPONENTS.contains(&exponent), negative) {
        (true, false) => out.push((POSITIVE + exponent) as u8),
        (true, true) => out.push((NEGATIVE - exponent) as u8),
        (false, false) => {
            out.push(if exponent < 0 { SMALL } else { LARGE });
            out.extend_from_slice(&(exponent as u32 ^ 0x8000_0000).to_be_bytes());
        }
        (false, true) => {
            out.push(if exponent < 0 { !SMALL } else { !LARGE });
            out.extend_from_slice(&(exponent as u32 ^ 0x7FFF_FFFF).to_be_bytes());
        }
    }
    let (mut digits, mut magnitude) = (number.digits(), number.mantissa().unsigned_abs());
    if let Ok(zeros) = u32::try_from(number.exponent())
        && digits + zeros <= SORTABLE_WHOLE_DIGITS
    {
        (digits, magnitude) = (digits + zeros, magnitude * 10u128.pow(zeros));
    }
    let missing = digits.next_multiple_of(3) - digits;
    let mut bits = Bits::default();
    let groups = digits.div_ceil(3);
    for group in (0..groups).rev() {
        // The zeros that fill the last group belong behind the digits, so it is taken apart by itself.
        let value = match group {
            0 => magnitude % 10u128.pow(3 - missing) * 10u128.pow(missing),
            _ => magnitude / 10u128.pow(3 * group - missing) % 1000,
        } as u16;
        bits.push(out, if negative { 1011 - value } else { value + 12 });
    }
    // The terminator says how many digits of the last group count: one more than itself.
    let terminator = 2 - missing as u16;
    bits.push(out, if negative { 1023 - terminator } else { terminator });
    bits.end(out);
}

/// Ten-bit symbols into bytes, most significant bit first.
#[derive(Default)]
struct Bits {
    held: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, out: &mut Vec<u8>, symbol: u16) {
        self.held = self.held << 10 | u32::from(symbol);
        self.count += 10;
        while self.count >= 8 {
            self.count -= 8;
            out.push((self.held >> self.count) as u8);
        }
        self.held &= (1 << self.count) - 1;
    }

    fn end(self, out: &mut Vec<u8>) {
        if self.count > 0 {
            out.push((self.held << (8 - self.count)) as u8);
        }
    }
}

/// Reads a number that [`write_sortable`], or a client, wrote; all of `bytes`. Errors: as [`read_number`].
pub fn read_sortable(bytes: &[u8]) -> Result<Number, Error> {
    let bad = || malformed("a sort key that is no number");
    let (&header, rest) = bytes.split_first().ok_or_else(bad)?;
    if matches!(header, ZERO | NEGATIVE_ZERO) {
        return if rest.is_empty() { Ok(Number::ZERO) } else { Err(bad()) };
    }
    let long = |invert: u32| {
        let (exponent, rest) = rest.split_first_chunk().ok_or_else(bad)?;
        Ok::<_, Error>(((u32::from_be_bytes(*exponent) ^ invert) as i32, rest))
    };
    let negative = header < ZERO;
    let (exponent, rest) = match header {
        0x00 | 0xFF => return Err(bad()),
        SMALL | LARGE => long(0x8000_0000)?,
        0x01 | 0x7E => long(0x7FFF_FFFF)?,
        _ if negative => (NEGATIVE - i32::from(header), rest),
        _ => (i32::from(header) - POSITIVE, rest),
    };
    let mut digits = Digits::default();
    let mut symbols = Symbols { bytes: rest, held: 0, count: 0 };
    let mut last: Option<u16> = None;
    loop {
        let symbol = symbols.next().ok_or_else(bad)?;
        let symbol = if negative { 1023 - symbol } else { symbol };
        match symbol {
            12..=1011 => {
                if let Some(group) = last.replace(symbol - 12) {
                    digits.push(group, 1000);
                }
            }
            0..=2 => {
                let group = last.ok_or_else(bad)?;
                let divisor = 10u16.pow(2 - u32::from(symbol));
                digits.push(group / divisor, 1000 / u128::from(divisor));
                break;
            }
            _ => return Err(bad()),
        }
    }
    symbols.end().ok_or_else(bad)?;
    Ok(digits.number(negative, exponent)?)
}

struct Symbols<'a> {
    bytes: &'a [u8],
    held: u32,
    count: u32,
}

impl Symbols<'_> {
    fn next(&mut self) -> Option<u16> {
        while self.count < 10 {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            self.held = self.held << 8 | u32::from(byte);
            self.count += 8;
        }
        self.count -= 10;
        let symbol = self.held >> self.count;
        self.held &= (1 << self.count) - 1;
        Some(symbol as u16)
    }

    /// Nothing but the padding of the last byte may be left.
    fn end(&self) -> Option<()> {
        (self.bytes.is_empty() && self.held == 0 && self.count < 8).then_some(())
    }
}

/// Digits as they are read, trailing zeros held back so that a client may send as many as it likes.
#[derive(Default)]
struct Digits {
    mantissa: u128,
    /// Digits of the mantissa, leading zeros included.
    taken: i32,
    /// Zeros that were read behind them.
    zeros: i32,
    too_many: bool,
}

impl Digits {
    /// Takes the digits of `group`, as many as `scale` has zeros.
    fn push(&mut self, group: u16, mut scale: u128) {
        let mut group = u128::from(group);
        while scale > 1 {
            scale /= 10;
            let digit = group / scale;
            group %= scale;
            if digit == 0 {
                self.zeros += 1;
                continue;
            }
            let shifted = u32::try_from(self.zeros + 1)
                .ok()
                .and_then(|zeros| 10u128.checked_pow(zeros))
                .and_then(|power| self.mantissa.checked_mul(power))
                .and_then(|mantissa| mantissa.checked_add(digit));
            match shifted {
                // Zeros before the first digit that is not one must not weigh anything.
                _ if self.mantissa == 0 => self.mantissa = digit,
                Some(mantissa) => self.mantissa = mantissa,
                None => self.too_many = true,
            }
            self.taken = self.taken.saturating_add(self.zeros + 1);
            self.zeros = 0;
        }
    }

    fn number(&self, negative: bool, exponent: i32) -> Result<Number, NumberError> {
        if self.too_many {
            return Err(NumberError::TooPrecise);
        }
        let mantissa = i128::try_from(self.mantissa).map_err(|_| NumberError::TooPrecise)?;
        let exponent = exponent.saturating_sub(self.taken);
        Number::from_parts(if negative { -mantissa } else { mantissa }, exponent)
    }
}

#[cfg(test)]
mod tests;
