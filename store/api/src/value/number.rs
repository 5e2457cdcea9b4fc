//! Exact decimal numbers of up to 38 significant digits.
//!
//! Never goes through a binary float. A [`Number`] can only be made checked, so whoever holds one needs no further check.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::limits::{NUMBER_DIGITS, NUMBER_EXPONENT_MAX, NUMBER_EXPONENT_MIN};

/// A number: mantissa times ten to the exponent.
///
/// Shape: the mantissa has no trailing decimal zero and at most 38 digits; zero is mantissa 0, exponent 0. So equal numbers
/// are equal structs. Magnitude: 0, or 1e-130 to 9.99…e125. Source: Developer Guide, *Data types*, Number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    mantissa: i128,
    exponent: i16,
}

/// Why a text, or the result of an addition, is not a number. The messages are the service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is empty.
    #[error("The parameter cannot be converted to a numeric value")]
    Empty,
    /// The text is not a decimal number.
    #[error("The parameter cannot be converted to a numeric value: {0}")]
    NotNumeric(String),
    /// The magnitude is 1e126 or more. The service also says this of a sum that would need more than 38 digits.
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    /// The magnitude is below 1e-130 and not 0.
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
    /// More than 38 digits between the first and the last that is not 0.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooPrecise,
}

impl From<NumberError> for Error {
    fn from(error: NumberError) -> Error {
        Error::validation(error.to_string())
    }
}

/// 10 to the power of `n`; `None` where it would not fit.
const fn power(n: u32) -> Option<u128> {
    10u128.checked_pow(n)
}

/// How many decimal digits `n` has; 0 has one.
const fn digits(n: u128) -> u32 {
    let log = if n <= u64::MAX as u128 { (n as u64).checked_ilog10() } else { n.checked_ilog10() };
    match log {
        Some(log) => log + 1,
        None => 1,
    }
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number { mantissa: 0, exponent: 0 };

    /// The number `mantissa * 10^exponent`, in canonical form. Errors: what it would say of the same number as text.
    pub fn from_parts(mantissa: i128, exponent: i32) -> Result<Number, NumberError> {
        Number::from_magnitude(mantissa < 0, mantissa.unsigned_abs(), exponent)
    }

    fn from_magnitude(negative: bool, mut magnitude: u128, mut exponent: i32) -> Result<Number, NumberError> {
        if magnitude == 0 {
            return Ok(Number::ZERO);
        }
        // Division of wide integers is slow, and nearly all numbers fit a machine word.
        while magnitude > u128::from(u64::MAX) && magnitude.is_multiple_of(10) {
            magnitude /= 10;
            exponent = exponent.saturating_add(1);
        }
        if let Ok(mut word) = u64::try_from(magnitude) {
            while word.is_multiple_of(10) {
                word /= 10;
                exponent = exponent.saturating_add(1);
            }
            magnitude = u128::from(word);
        }
        let count = digits(magnitude);
        let leading = i64::from(exponent) + i64::from(count) - 1;
        if leading > i64::from(NUMBER_EXPONENT_MAX) {
            return Err(NumberError::Overflow);
        }
        if leading < i64::from(NUMBER_EXPONENT_MIN) {
            return Err(NumberError::Underflow);
        }
        if count as usize > NUMBER_DIGITS {
            return Err(NumberError::TooPrecise);
        }
        let magnitude = magnitude as i128;
        Ok(Number { mantissa: if negative { -magnitude } else { magnitude }, exponent: exponent as i16 })
    }

    /// Reads a number from text: optional sign, digits with at most one point, optional exponent.
    ///
    /// Shape: at least one digit; nothing around it. Errors: in the service's order, magnitude before precision.
    pub fn parse(text: &str) -> Result<Number, NumberError> {
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        Number::scan(text.as_bytes()).unwrap_or_else(|| Err(NumberError::NotNumeric(text.to_owned())))
    }

    /// `None` where the text is not numeric at all.
    fn scan(text: &[u8]) -> Option<Result<Number, NumberError>> {
        let (negative, mut rest) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        let mut magnitude: u128 = 0;
        // Digits taken into `magnitude` after its first that is not 0, zeros held back until another digit follows them,
        // and whether a digit was lost because there was no room: then only the magnitude is still of interest.
        let (mut taken, mut held, mut lost) = (0i64, 0i64, false);
        let (mut seen_digit, mut seen_point, mut fraction) = (false, false, 0i64);
        while let Some((&byte, tail)) = rest.split_first() {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    fraction += i64::from(seen_point);
                    if byte == b'0' {
                        held += i64::from(taken > 0);
                    } else {
                        let shift = held + 1;
                        taken += shift;
                        held = 0;
                        if taken > NUMBER_DIGITS as i64 {
                            lost = true;
                        } else {
                            magnitude = magnitude * 10u128.pow(shift as u32) + u128::from(byte - b'0');
                        }
                    }
                }
                b'.' if !seen_point => seen_point = true,
                b'e' | b'E' => break,
                _ => return None,
            }
            rest = tail;
        }
        if !seen_digit {
            return None;
        }
        let written = match rest.split_first() {
            None => 0,
            Some((_, exponent)) => {
                let (minus, digits) = match exponent.split_first()? {
                    (b'-', digits) => (true, digits),
                    (b'+', digits) => (false, digits),
                    _ => (false, exponent),
                };
                if digits.is_empty() {
                    return None;
                }
                let mut value = 0i64;
                for byte in digits {
                    if !byte.is_ascii_digit() {
                        return None;
                    }
                    value = value * 10 + i64::from(byte - b'0');
                    // The service's own decimal type takes exponents of 32 bits only.
                    if value > i64::from(i32::MAX) {
                        return None;
                    }
                }
                if minus { -value } else { value }
            }
        };
        if taken == 0 {
            return Some(Ok(Number::ZERO));
        }
        let exponent = written - fraction + held;
        if lost {
            let leading = exponent + taken - 1;
            return Some(Err(if leading > i64::from(NUMBER_EXPONENT_MAX) {
                NumberError::Overflow
            } else if leading < i64::from(NUMBER_EXPONENT_MIN) {
                NumberError::Underflow
            } else {
                NumberError::TooPrecise
            }));
        }
        let exponent = exponent.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        Some(Number::from_magnitude(negative, magnitude, exponent))
    }

    /// The mantissa: no trailing decimal zero, at most 38 digits.
    pub const fn mantissa(&self) -> i128 {
        self.mantissa
    }

    /// The power of ten the mantissa is multiplied with.
    pub const fn exponent(&self) -> i16 {
        self.exponent
    }

    /// How many significant digits it has; zero has one.
    pub const fn digits(&self) -> u32 {
        digits(self.mantissa.unsigned_abs())
    }

    /// The power of ten of the first significant digit, -130 to 125; 0 for zero.
    pub const fn magnitude(&self) -> i32 {
        if self.mantissa == 0 { 0 } else { self.exponent as i32 + self.digits() as i32 - 1 }
    }

    /// Whether it is below zero.
    pub const fn is_negative(&self) -> bool {
        self.mantissa < 0
    }

    /// The sum. Errors: [`NumberError::Overflow`] where it is too large or would need more than 38 digits (the service
    /// says overflow of both), [`NumberError::Underflow`] where it is too small.
    pub fn checked_add(&self, other: &Number) -> Result<Number, NumberError> {
        if self.mantissa == 0 || other.mantissa == 0 {
            return Ok(if self.mantissa == 0 { *other } else { *self });
        }
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        // Where the wider one does not fit 128 bits it is past 3.4e38 in units of the other's last digit. That digit is
        // not 0 and survives the addition, so the sum has at least 39 digits.
        let scaled = power((i32::from(high.exponent) - i32::from(low.exponent)) as u32)
            .and_then(|power| high.mantissa.unsigned_abs().checked_mul(power))
            .ok_or(NumberError::Overflow)?;
        let other = low.mantissa.unsigned_abs();
        let (negative, magnitude) = if high.is_negative() == low.is_negative() {
            (high.is_negative(), scaled.checked_add(other).ok_or(NumberError::Overflow)?)
        } else if scaled >= other {
            (high.is_negative(), scaled - other)
        } else {
            (low.is_negative(), other - scaled)
        };
        Number::from_magnitude(negative, magnitude, i32::from(low.exponent)).map_err(|error| match error {
            NumberError::TooPrecise => NumberError::Overflow,
            other => other,
        })
    }

    /// The difference. Errors: as [`Number::checked_add`].
    pub fn checked_sub(&self, other: &Number) -> Result<Number, NumberError> {
        self.checked_add(&other.negate())
    }

    /// The number with the other sign.
    pub const fn negate(&self) -> Number {
        Number { mantissa: -self.mantissa, exponent: self.exponent }
    }

    /// The whole number it is, if it is one that fits.
    pub fn to_i64(&self) -> Option<i64> {
        let scale = power(u32::try_from(self.exponent).ok()?)?;
        i64::try_from(self.mantissa.checked_mul(i128::try_from(scale).ok()?)?).ok()
    }

    /// Writes the text the service prints: plain notation, no exponent, no needless zero.
    ///
    /// Shape: at most 169 characters (1e-130 with 38 digits, sign, point and leading zero).
    pub fn write_text(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let magnitude = self.mantissa.unsigned_abs();
        if self.mantissa < 0 {
            out.write_char('-')?;
        }
        // Most numbers fit a machine word, whose digits are an order of magnitude cheaper to make.
        let mut buffer = [0u8; 40];
        let mut start = buffer.len();
        let mut push = |digit: u8| {
            start -= 1;
            buffer[start] = b'0' + digit;
        };
        let mut wide = magnitude;
        while wide > u128::from(u64::MAX) {
            push((wide % 10) as u8);
            wide /= 10;
        }
        let mut word = wide as u64;
        loop {
            push((word % 10) as u8);
            word /= 10;
            if word == 0 {
                break;
            }
        }
        let digits = std::str::from_utf8(&buffer[start..]).map_err(|_| fmt::Error)?;
        if self.exponent >= 0 {
            out.write_str(digits)?;
            return zeros(out, self.exponent as usize);
        }
        let fraction = usize::from(self.exponent.unsigned_abs());
        match digits.len().checked_sub(fraction) {
            None | Some(0) => {
                out.write_str("0.")?;
                zeros(out, fraction - digits.len())?;
                out.write_str(digits)
            }
            Some(whole) => {
                out.write_str(&digits[..whole])?;
                out.write_char('.')?;
                out.write_str(&digits[whole..])
            }
        }
    }
}

fn zeros(out: &mut impl fmt::Write, count: usize) -> fmt::Result {
    (0..count).try_for_each(|_| out.write_char('0'))
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_text(f)
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Number, NumberError> {
        Number::parse(text)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Number {
        let mut number = Number { mantissa: i128::from(value), exponent: 0 };
        while number.mantissa != 0 && number.mantissa % 10 == 0 {
            number.mantissa /= 10;
            number.exponent += 1;
        }
        number
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let by_sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if by_sign.is_ne() || self.mantissa == 0 {
            return by_sign;
        }
        // Same sign: magnitudes first, then the digits lined up at the first one.
        let lined_up = |number: &Number| {
            let gap = NUMBER_DIGITS as u32 - number.digits();
            number.mantissa.unsigned_abs() * 10u128.pow(gap)
        };
        let by_size =
            self.magnitude().cmp(&other.magnitude()).then_with(|| lined_up(self).cmp(&lined_up(other)));
        if self.is_negative() { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl serde::Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (self.mantissa, self.exponent).serialize(s)
    }
}

impl<'de> serde::Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Number, D::Error> {
        let (mantissa, exponent): (i128, i16) = serde::Deserialize::deserialize(d)?;
        Number::from_parts(mantissa, i32::from(exponent)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests;
