//! How far an index on a table with data has been filled.
//!
//! Key: `0x13`, index id (u64). Value: format (u8, now 1), the key of the last item looked at (the rest; the whole key
//! of the item's record; empty at the beginning). Written by apply with every step, removed with the last one, so that a
//! restart goes on where it stopped; correctness depends on it.

use api::IndexId;
use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// The record's key.
pub fn key(index: IndexId) -> [u8; 9] {
    super::id_key(Kind::Backfill, index.0)
}

/// The record's value.
pub fn encode(last_item_key: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(1 + last_item_key.len());
    bytes.push(FORMAT);
    bytes.extend_from_slice(last_item_key);
    bytes.into()
}

/// The last item's key of a value.
pub fn decode(value: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(Kind::Backfill, value);
    reader.format(FORMAT)?;
    Ok(reader.rest())
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn progress_round_trips() {
        assert_eq!(decode(&encode(b"\x20key")), Ok(&b"\x20key"[..]));
        assert_eq!(decode(&encode(b"")), Ok(&b""[..]));
        assert!(decode(b"").is_err());
    }
}
