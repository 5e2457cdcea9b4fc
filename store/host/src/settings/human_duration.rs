//! Durations in settings, written as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration. Shape in settings: `"50ms"`, `"5m"`, `"1h30m"`; units d, h, m, s, ms, us, ns, whole numbers, larger units first. A
/// bare number is refused, because nobody can see its unit; `"0s"` is zero. Printed the way it is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(Duration);

const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration; write whole numbers with units, such as 50ms, 5m or 1h30m")]
pub struct BadDuration {
    text: String,
}

impl HumanDuration {
    /// The duration given.
    pub const fn new(duration: Duration) -> Self {
        HumanDuration(duration)
    }

    /// `n` seconds.
    pub const fn from_secs(n: u64) -> Self {
        HumanDuration(Duration::from_secs(n))
    }

    /// `n` milliseconds.
    pub const fn from_millis(n: u64) -> Self {
        HumanDuration(Duration::from_millis(n))
    }

    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<HumanDuration> for Duration {
    fn from(duration: HumanDuration) -> Duration {
        duration.0
    }
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        HumanDuration(duration)
    }
}

impl FromStr for HumanDuration {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        let bad = || BadDuration { text: text.to_owned() };
        let mut rest = text.trim();
        let mut nanos: u64 = 0;
        let mut next_unit = 0;
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = UNITS.iter().position(|(name, _)| *name == &rest[..letters]).ok_or_else(bad)?;
            if unit < next_unit {
                return Err(bad());
            }
            next_unit = unit + 1;
            nanos =
                number.checked_mul(UNITS[unit].1).and_then(|part| nanos.checked_add(part)).ok_or_else(bad)?;
            rest = rest[letters..].trim_start();
        }
        Ok(HumanDuration(Duration::from_nanos(nanos)))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, nanos) in UNITS {
            if rest >= nanos {
                write!(f, "{}{unit}", rest / nanos)?;
                rest %= nanos;
            }
        }
        Ok(())
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = HumanDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as \"50ms\" or \"5m\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<HumanDuration, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        for (text, nanos) in [
            ("0s", 0),
            ("5m", 300_000_000_000),
            ("50ms", 50_000_000),
            ("1h30m", 5_400_000_000_000),
            (" 1 d 2 s ", 86_402_000_000_000),
            ("7us", 7_000),
        ] {
            let read: HumanDuration = text.parse().expect(text);
            assert_eq!(read.get(), Duration::from_nanos(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "5", "m", "-5m", "5 minutes", "30m1h", "1m1m", "1.5s", "99999999999d"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_printed_duration_reads_back() {
        for nanos in [0, 1, 1_500, 90_000_000_000, 86_400_000_000_000, u64::MAX] {
            let duration = HumanDuration(Duration::from_nanos(nanos));
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
        assert_eq!(HumanDuration::from_secs(5_400).to_string(), "1h30m");
    }
}
