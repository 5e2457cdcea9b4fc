//! Bytes of one item collection: the items of one partition value with their local index entries.
//!
//! Key: `0x23`, table id (u64), hash of the partition value (u64), partition value. Value: format (u8, now 1), billed
//! bytes (u64). Kept only for tables with local indexes, and removed with the collection's last item. Written by apply;
//! the limit on a collection's size depends on it, and the metrics of a write report it.

use api::TableId;
use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed, partition_hash};

const FORMAT: u8 = 1;

/// Where a table's collections begin.
pub fn table_prefix(table: TableId) -> [u8; 9] {
    super::id_key(Kind::Collection, table.0)
}

/// The key of a partition's collection.
pub fn key(table: TableId, partition: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(17 + partition.len());
    key.extend_from_slice(&table_prefix(table));
    key.extend_from_slice(&partition_hash(partition).to_be_bytes());
    key.extend_from_slice(partition);
    key
}

/// The record's value.
pub fn encode(billed_bytes: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(9);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&billed_bytes.to_be_bytes());
    bytes.into()
}

/// The bytes of a value.
pub fn decode(value: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Reader::new(Kind::Collection, value);
    reader.format(FORMAT)?;
    reader.u64()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn a_collection_round_trips() {
        assert_eq!(decode(&encode(1 << 40)), Ok(1 << 40));
        assert!(decode(&[]).is_err());
    }
}
