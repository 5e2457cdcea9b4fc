//! The store's format number.
//!
//! Key: `0x01`. Value: format number (u32). Written when a store is made; checked whenever one is opened, before
//! anything else is read. Correctness depends on it: a program that does not know a store's format must not touch it.

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

/// The format this program writes, and the only one it reads.
pub const CURRENT: u32 = 1;

/// The record's key.
pub const KEY: [u8; 1] = [Kind::Format as u8];

/// The record's value.
pub fn encode(format: u32) -> Bytes {
    Bytes::copy_from_slice(&format.to_be_bytes())
}

/// The format number of a value.
pub fn decode(value: &[u8]) -> Result<u32, Malformed> {
    let mut reader = Reader::new(Kind::Format, value);
    let format = reader.u32()?;
    if reader.rest().is_empty() { Ok(format) } else { Err(reader.malformed("it is too long")) }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn the_format_number_round_trips() {
        assert_eq!(decode(&encode(7)), Ok(7));
        assert!(decode(b"abc").is_err());
        assert!(decode(b"abcde").is_err());
    }
}
