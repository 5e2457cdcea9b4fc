//! The next table or index id. Both are drawn from this one sequence, so that an id never comes back.
//!
//! Key: `0x03`. Value: format (u8, now 1), next id (u64). Written by apply with every table or index made; correctness
//! depends on it.

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// The first id ever given. Ids below are free for our own use.
pub const FIRST: u64 = 16;

/// The record's key.
pub const KEY: [u8; 1] = [Kind::Sequence as u8];

/// The record's value.
pub fn encode(next: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(9);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&next.to_be_bytes());
    bytes.into()
}

/// The next id of a value.
pub fn decode(value: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(Kind::Sequence, value);
    reader.format(FORMAT)?;
    reader.u64()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn the_sequence_round_trips() {
        assert_eq!(decode(&encode(u64::MAX)), Ok(u64::MAX));
        assert!(decode(&[9; 9]).is_err());
    }
}
