//! An item.
//!
//! Key: `0x20`, table id (u64), hash of the partition value (u64), partition value, sort value. So a table is one range,
//! a partition is one range within it, and within a partition items stand in order of their sort keys; partitions stand
//! in order of their hash, which is the order of a Scan and what its segments divide.
//!
//! Value, integers big endian: format (u8, now 1), flags (u8, none defined), incarnation (u64), shard (u32), index (u64),
//! log time (u64, milliseconds), origin region (u16), encryption key id (u32, 0: plain), length of the extension (u16),
//! extension, body. The body is the item's canonical encoded form. The record is written by apply; correctness depends on
//! the body, while version, time, region and key id wait for global tables and encryption at rest. A reader skips an
//! extension that it does not know.

use api::{EncodedItem, KeyBytes, TableId, Version};
use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed, partition_hash};

/// Format of the records written now.
const FORMAT: u8 = 1;
/// Bytes before the extension.
const HEADER_BYTES: usize = 38;

/// Bytes of a key before the partition value.
pub const KEY_PREFIX_BYTES: usize = 17;

/// An item as it stands in the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredItem {
    /// When it was committed.
    pub version: Version,
    /// Log time of that commit, milliseconds since the epoch.
    pub log_time_millis: u64,
    /// Where the write came from; 0 is this region.
    pub origin_region: u16,
    /// What the body is encrypted with; 0 is plain, the only value written so far.
    pub key_id: u32,
    /// The whole item.
    pub body: EncodedItem,
}

impl StoredItem {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let body = self.body.as_bytes();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.extend_from_slice(&[FORMAT, 0]);
        bytes.extend_from_slice(&self.version.incarnation.to_be_bytes());
        bytes.extend_from_slice(&self.version.shard.to_be_bytes());
        bytes.extend_from_slice(&self.version.index.to_be_bytes());
        bytes.extend_from_slice(&self.log_time_millis.to_be_bytes());
        bytes.extend_from_slice(&self.origin_region.to_be_bytes());
        bytes.extend_from_slice(&self.key_id.to_be_bytes());
        bytes.extend_from_slice(&0_u16.to_be_bytes());
        bytes.extend_from_slice(body);
        bytes.into()
    }

    /// The record of a value; the body shares the value's memory.
    pub fn decode(value: &Bytes) -> Result<StoredItem, Malformed> {
        let mut reader = Reader::new(Kind::Item, value);
        reader.format(FORMAT)?;
        let _flags = reader.u8()?;
        let version = Version { incarnation: reader.u64()?, shard: reader.u32()?, index: reader.u64()? };
        let log_time_millis = reader.u64()?;
        let origin_region = reader.u16()?;
        let key_id = reader.u32()?;
        if key_id != 0 {
            return Err(reader.malformed("it is encrypted, which this program does not support"));
        }
        let extension_bytes = reader.u16()?;
        reader.take(usize::from(extension_bytes))?;
        let body = EncodedItem::from_bytes(value.slice_ref(reader.rest()))
            .map_err(|_| reader.malformed("its body is no item"))?;
        Ok(StoredItem { version, log_time_millis, origin_region, key_id, body })
    }
}

/// Where a table's items begin; with [`crate::db::KeyRange::prefix`], all of them.
pub fn table_prefix(table: TableId) -> [u8; 9] {
    super::id_key(Kind::Item, table.0)
}

/// Where the partitions of a hash begin. Partitions of a table stand in order of it.
pub fn hash_prefix(table: TableId, hash: u64) -> [u8; KEY_PREFIX_BYTES] {
    let mut key = [0; KEY_PREFIX_BYTES];
    key[..9].copy_from_slice(&table_prefix(table));
    key[9..].copy_from_slice(&hash.to_be_bytes());
    key
}

/// Where a partition begins: the key of its items up to their sort value.
pub fn partition_prefix(table: TableId, partition: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(KEY_PREFIX_BYTES + partition.len() + 64);
    key.extend_from_slice(&hash_prefix(table, partition_hash(partition)));
    key.extend_from_slice(partition);
    key
}

/// The key of an item.
pub fn key(table: TableId, key: &KeyBytes) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KEY_PREFIX_BYTES + key.as_bytes().len());
    bytes.extend_from_slice(&hash_prefix(table, partition_hash(&key.partition())));
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::{StoredItem, key, partition_prefix, table_prefix};
    use api::{AttributeValue, EncodedItem, Item, KeyBytes, TableId, Version};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn stored(text: &str, version: Version, log_time_millis: u64) -> StoredItem {
        let item = Item::new().with("pk", AttributeValue::S(text.to_owned()));
        StoredItem { version, log_time_millis, origin_region: 0, key_id: 0, body: EncodedItem::encode(&item) }
    }

    proptest! {
        #[test]
        fn an_item_round_trips(text: String, incarnation: u64, shard: u32, index: u64, log_time_millis: u64) {
            let stored = stored(&text, Version { incarnation, shard, index }, log_time_millis);
            let bytes = stored.encode();
            prop_assert_eq!(StoredItem::decode(&bytes), Ok(stored));
            for cut in 0..bytes.len() {
                prop_assert!(StoredItem::decode(&bytes.slice(..cut)).is_err());
            }
        }
    }

    #[test]
    fn an_extension_that_is_not_known_is_skipped() {
        let plain = stored("a", Version::default(), 1);
        let mut bytes = plain.encode().to_vec();
        let at = super::HEADER_BYTES;
        bytes.splice(at - 2..at, [0, 3, b'x', b'y', b'z']);
        assert_eq!(StoredItem::decode(&Bytes::from(bytes)), Ok(plain));
    }

    #[test]
    fn an_encrypted_body_is_refused() {
        let mut bytes = stored("a", Version::default(), 1).encode().to_vec();
        bytes[super::HEADER_BYTES - 3] = 1;
        assert!(StoredItem::decode(&Bytes::from(bytes)).is_err());
    }

    #[test]
    fn the_items_of_a_partition_stand_together_in_order_of_their_sort_keys() {
        let table = TableId(16);
        let low = key(table, &KeyBytes::new(b"p\0\0", Some(b"1")));
        let high = key(table, &KeyBytes::new(b"p\0\0", Some(b"2")));
        let prefix = partition_prefix(table, b"p\0\0");
        assert!(low < high && low.starts_with(&prefix) && high.starts_with(&prefix));
        assert!(prefix.starts_with(&table_prefix(table)));
    }
}
