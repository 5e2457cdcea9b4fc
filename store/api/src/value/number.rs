//! Exact decimal numbers of up to 38 significant digits.

/// A number: mantissa times ten to the exponent.
///
/// Shape: the mantissa has no trailing decimal zero and at most 38 digits; zero is mantissa 0, exponent 0. So equal numbers
/// are equal structs. Magnitude: 0, or 1e-130 to 9.99…e125. Source: Developer Guide, *Data types*, Number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    mantissa: i128,
    exponent: i16,
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> std::cmp::Ordering {
        (self.mantissa, self.exponent).cmp(&(other.mantissa, other.exponent))
    }
}
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<std::cmp::Ordering> {
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
        let (mantissa, exponent) = serde::Deserialize::deserialize(d)?;
        Ok(Number { mantissa, exponent })
    }
}
