//! An id whose records are still to be removed: what a dropped table or index leaves behind.
//!
//! Key: `0x12`, id (u64). Value: format (u8, now 1), what it was (u8: 1 table, 2 local index, 3 global index), log time
//! it was dropped at (u64, milliseconds). Written by apply when the table or index goes, removed by apply once its
//! records are. Only disk space depends on it, since nothing reads the records of an id that no schema names.

use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum DroppedKind {
    /// A table: its items and collections.
    Table,
    /// A local index's entries.
    LocalIndex,
    /// A global index's entries.
    GlobalIndex,
}

/// What a dropped table or index leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// What it was.
    pub kind: DroppedKind,
    /// When it was dropped: log time, milliseconds.
    pub at_millis: u64,
}

impl Dropped {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(10);
        bytes.push(FORMAT);
        bytes.push(match self.kind {
            DroppedKind::Table => 1,
            DroppedKind::LocalIndex => 2,
            DroppedKind::GlobalIndex => 3,
        });
        bytes.extend_from_slice(&self.at_millis.to_be_bytes());
        bytes.into()
    }

    /// The record of a value.
    pub fn decode(value: &[u8]) -> Result<Dropped, Malformed> {
        let mut reader = Reader::new(Kind::Dropped, value);
        reader.format(FORMAT)?;
        let kind = match reader.u8()? {
            1 => DroppedKind::Table,
            2 => DroppedKind::LocalIndex,
            3 => DroppedKind::GlobalIndex,
            _ => return Err(reader.malformed("it names no kind that is known")),
        };
        Ok(Dropped { kind, at_millis: reader.u64()? })
    }
}

/// Where all of them begin.
pub const PREFIX: [u8; 1] = [Kind::Dropped as u8];

/// The record's key.
pub fn key(id: u64) -> [u8; 9] {
    super::id_key(Kind::Dropped, id)
}

/// The id of a record's key.
pub fn id(key: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(Kind::Dropped, key);
    reader.u8()?;
    reader.u64()
}

#[cfg(test)]
mod tests {
    use super::{Dropped, DroppedKind, id, key};

    #[test]
    fn what_was_dropped_round_trips() {
        for kind in [DroppedKind::Table, DroppedKind::LocalIndex, DroppedKind::GlobalIndex] {
            let dropped = Dropped { kind, at_millis: 12_345 };
            assert_eq!(Dropped::decode(&dropped.encode()), Ok(dropped));
        }
        assert!(Dropped::decode(&[1, 9, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert_eq!(id(&key(991)), Ok(991));
    }
}
