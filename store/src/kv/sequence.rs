//! Ids that are handed out once: from where on they are free.
//!
//! Key: `0x03` for tables and indexes, both drawn from one sequence; `0x61` for attribute lists that need not last. Value:
//! format (u8, now 1), next free id (u64). Written by apply with every id given; correctness depends on it: an id once
//! handed out, for however short a time, never gets another meaning.

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// One of the sequences.
#[derive(Debug, Clone, Copy)]
pub struct Sequence {
    kind: Kind,
    /// The first id ever given.
    pub first: u64,
}

/// Ids of tables and indexes. Those below are free for our own use.
pub const TABLES: Sequence = Sequence { kind: Kind::Sequence, first: 16 };

/// Ids of attribute lists that need not last: beyond any id that does.
pub const PASSING_LISTS: Sequence = Sequence { kind: Kind::PassingLists, first: 1 << 32 };

impl Sequence {
    /// The record's key.
    pub const fn key(self) -> [u8; 1] {
        [self.kind as u8]
    }

    /// The next id of the record's value; without one, the first.
    pub fn next(self, value: Option<&[u8]>) -> Result<u64, Malformed> {
        let Some(value) = value else { return Ok(self.first) };
        let mut reader = Reader::new(self.kind, value);
        reader.format(FORMAT)?;
        reader.u64()
    }
}

/// The record's value.
pub fn encode(next: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(9);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&next.to_be_bytes());
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::{PASSING_LISTS, TABLES, encode};

    #[test]
    fn a_sequence_round_trips() {
        for sequence in [TABLES, PASSING_LISTS] {
            for next in [sequence.first, u64::MAX] {
                assert_eq!(sequence.next(Some(&encode(next))), Ok(next));
            }
            assert_eq!(sequence.next(None), Ok(sequence.first));
            assert!(sequence.next(Some(&[9; 9])).is_err());
        }
    }
}
