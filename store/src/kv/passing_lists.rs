//! From where on ids of attribute lists that need not last are free to be handed out.
//!
//! Key: `0x61`. Value: format (u8, now 1), next free id (u64). Written by apply whenever a node takes a stretch of them;
//! correctness depends on it: an id once handed out, for however short a time, never gets another meaning.

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// The first of them: beyond any id that lasts.
pub const FIRST: u64 = 1 << 32;

/// The record's key.
pub const KEY: [u8; 1] = [Kind::PassingLists as u8];

/// The record's value.
pub fn encode(next: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(9);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&next.to_be_bytes());
    bytes.into()
}

/// The next free id of a value.
pub fn decode(value: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(Kind::PassingLists, value);
    reader.format(FORMAT)?;
    reader.u64()
}

#[cfg(test)]
mod tests {
    use super::{FIRST, decode, encode};

    #[test]
    fn the_next_free_id_round_trips() {
        assert_eq!(decode(&encode(FIRST)), Ok(FIRST));
        assert!(decode(&[9; 9]).is_err());
    }
}
