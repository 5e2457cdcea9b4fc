//! Items and bytes of a table and of each of its indexes.
//!
//! Key: `0x11`, table id (u64). Value: format (u8, now 1), items (u64) and billed bytes (u64) of the table, then for each
//! index its id (u64), items (u64), bytes (u64). Written by apply in the batch of the writes it counts; DescribeTable
//! reads it. No write depends on it.

use api::op::Size;
use api::{IndexId, TableId};
use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// Sizes of a table and its indexes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// The table itself.
    pub table: Size,
    /// Each index, in the order they were made.
    pub indexes: Vec<(IndexId, Size)>,
}

impl Counters {
    /// The size of an index; nothing for one that is not counted.
    pub fn index(&self, id: IndexId) -> Size {
        self.indexes.iter().find(|(known, _)| *known == id).map(|(_, size)| *size).unwrap_or_default()
    }

    /// The size of an index, to be changed.
    pub fn of_index(&mut self, id: IndexId) -> &mut Size {
        let at = self.indexes.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            self.indexes.push((id, Size::default()));
            self.indexes.len() - 1
        });
        &mut self.indexes[at].1
    }

    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(17 + 24 * self.indexes.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.table.items.to_be_bytes());
        bytes.extend_from_slice(&self.table.bytes.to_be_bytes());
        for (id, size) in &self.indexes {
            bytes.extend_from_slice(&id.0.to_be_bytes());
            bytes.extend_from_slice(&size.items.to_be_bytes());
            bytes.extend_from_slice(&size.bytes.to_be_bytes());
        }
        bytes.into()
    }

    /// The record of a value.
    pub fn decode(value: &[u8]) -> Result<Counters, Malformed> {
        let mut reader = Reader::new(Kind::Counters, value);
        reader.format(FORMAT)?;
        let table = Size { items: reader.u64()?, bytes: reader.u64()? };
        let mut indexes = Vec::new();
        while !reader.rest().is_empty() {
            let id = IndexId(reader.u64()?);
            indexes.push((id, Size { items: reader.u64()?, bytes: reader.u64()? }));
        }
        Ok(Counters { table, indexes })
    }
}

/// The record's key.
pub fn key(table: TableId) -> [u8; 9] {
    super::id_key(Kind::Counters, table.0)
}

#[cfg(test)]
mod tests {
    use super::Counters;
    use api::IndexId;
    use api::op::Size;

    #[test]
    fn counters_round_trip() {
        let mut counters = Counters { table: Size { items: 3, bytes: 900 }, indexes: Vec::new() };
        counters.of_index(IndexId(20)).items += 2;
        counters.of_index(IndexId(21)).bytes += 7;
        counters.of_index(IndexId(20)).items += 1;
        let bytes = counters.encode();
        assert_eq!(Counters::decode(&bytes), Ok(counters.clone()));
        assert_eq!(counters.index(IndexId(20)).items, 3);
        assert_eq!(counters.index(IndexId(99)), Size::default());
        assert!(Counters::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
