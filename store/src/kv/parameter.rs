//! A parameter of the whole group that was set.
//!
//! Key: `0x04`, number of the parameter (u8). Value: format (u8, now 1), value (u64). Written by apply where an operator sets one,
//! removed where it is unset. No other record depends on it.

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};
use crate::parameters::Parameter;

const FORMAT: u8 = 1;

/// Where all of them begin.
pub const PREFIX: [u8; 1] = [Kind::Parameter as u8];

/// The record's key.
pub const fn key(parameter: Parameter) -> [u8; 2] {
    [Kind::Parameter as u8, parameter.number()]
}

/// The parameter of a record's key.
pub fn parameter(key: &[u8]) -> Result<Parameter, Malformed> {
    let mut reader = Reader::new(Kind::Parameter, key);
    reader.u8()?;
    let number = reader.u8()?;
    // The semantics level has been checked by now: no newer program has written here.
    Parameter::numbered(number).ok_or(reader.malformed("there is no such parameter"))
}

/// The record's value.
pub fn encode(value: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(9);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&value.to_be_bytes());
    bytes.into()
}

/// The value of a record.
pub fn decode(value: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(Kind::Parameter, value);
    reader.format(FORMAT)?;
    let value = reader.u64()?;
    if reader.rest().is_empty() { Ok(value) } else { Err(reader.malformed("it is too long")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_round_trips_and_damage_is_told() {
        for known in Parameter::ALL {
            assert_eq!(parameter(&key(known)), Ok(known));
        }
        for value in [0, 1, u64::MAX] {
            assert_eq!(decode(&encode(value)), Ok(value));
        }
        assert!(parameter(&[0x04, 99]).is_err() && parameter(&[0x04]).is_err());
        assert!(decode(&encode(7)[..8]).is_err() && decode(&[9; 9]).is_err() && decode(&[1; 10]).is_err());
    }
}
