//! An entry of a local or global index.
//!
//! Key: `0x21` (local) or `0x22` (global), index id (u64), hash of the index's partition value (u64), index partition
//! value, index sort value (if the index has a sort key), table partition value (global indexes only; a local index
//! shares it), table sort value (if the table has one). The parts are in order-preserving form, of which none is a
//! prefix of another, so that entries sort by index key and then by table key, and any number of items may share one
//! index key.
//!
//! Value: format (u8, now 1), flags (u8, none defined), body. The body is the projected item in canonical encoded form,
//! so that reading an index never reads the table. Written by apply, in the same batch as the item; correctness depends
//! on all of it.

use api::schema::IndexKind;
use api::{EncodedItem, IndexId, KeyBytes};
use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed, partition_hash};

/// Format of the records written now.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 2;

/// Bytes of a key before the index's partition value.
pub const KEY_PREFIX_BYTES: usize = 17;

/// What an index holds of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The item as far as the index projects it: always with the keys of table and index.
    pub body: EncodedItem,
}

impl IndexEntry {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let body = self.body.as_bytes();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.extend_from_slice(&[FORMAT, 0]);
        bytes.extend_from_slice(body);
        bytes.into()
    }

    /// The record of a value; the body shares the value's memory.
    pub fn decode(value: &Bytes) -> Result<IndexEntry, Malformed> {
        let mut reader = Reader::new(Kind::GlobalIndex, value);
        reader.format(FORMAT)?;
        let _flags = reader.u8()?;
        let body = EncodedItem::from_bytes(value.slice_ref(reader.rest()))
            .map_err(|_| reader.malformed("its body is no item"))?;
        Ok(IndexEntry { body })
    }
}

const fn kind_of(kind: IndexKind) -> Kind {
    match kind {
        IndexKind::Local => Kind::LocalIndex,
        IndexKind::Global => Kind::GlobalIndex,
    }
}

/// Where an index's entries begin; with [`crate::db::KeyRange::prefix`], all of them.
pub fn index_prefix(kind: IndexKind, index: IndexId) -> [u8; 9] {
    super::id_key(kind_of(kind), index.0)
}

/// Where the partitions of a hash begin. Partitions of an index stand in order of it.
pub fn hash_prefix(kind: IndexKind, index: IndexId, hash: u64) -> [u8; KEY_PREFIX_BYTES] {
    let mut key = [0; KEY_PREFIX_BYTES];
    key[..9].copy_from_slice(&index_prefix(kind, index));
    key[9..].copy_from_slice(&hash.to_be_bytes());
    key
}

/// Where a partition of an index begins: the key of its entries up to their index sort value.
pub fn partition_prefix(kind: IndexKind, index: IndexId, partition: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(KEY_PREFIX_BYTES + partition.len() + 64);
    key.extend_from_slice(&hash_prefix(kind, index, partition_hash(partition)));
    key.extend_from_slice(partition);
    key
}

/// The key of an item's entry: `index_key` is the index's partition and sort value, `table_key` the item's primary key.
pub fn key(kind: IndexKind, index: IndexId, index_key: &KeyBytes, table_key: &KeyBytes) -> Vec<u8> {
    let mut bytes = partition_prefix(kind, index, &index_key.partition());
    bytes.extend_from_slice(&index_key.sort());
    match kind {
        IndexKind::Local => bytes.extend_from_slice(&table_key.sort()),
        IndexKind::Global => bytes.extend_from_slice(table_key.as_bytes()),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{IndexEntry, index_prefix, key, partition_prefix};
    use api::schema::IndexKind;
    use api::{AttributeValue, EncodedItem, IndexId, Item, KeyBytes};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_round_trips(name in "[a-z]{1,9}", text: String) {
            let item = Item::new().with(name, AttributeValue::S(text));
            let entry = IndexEntry { body: EncodedItem::encode(&item) };
            let bytes = entry.encode();
            prop_assert_eq!(IndexEntry::decode(&bytes), Ok(entry));
            for cut in 0..bytes.len() {
                prop_assert!(IndexEntry::decode(&bytes.slice(..cut)).is_err());
            }
        }
    }

    #[test]
    fn entries_of_one_index_key_stand_in_order_of_their_table_keys() {
        let index_key = KeyBytes::new(b"x\0\0", None);
        let of = |kind, sort: &[u8]| key(kind, IndexId(20), &index_key, &KeyBytes::new(b"p\0\0", Some(sort)));
        for kind in [IndexKind::Local, IndexKind::Global] {
            assert!(of(kind, b"1") < of(kind, b"2"));
            assert!(of(kind, b"1").starts_with(&partition_prefix(kind, IndexId(20), b"x\0\0")));
            assert!(of(kind, b"1").starts_with(&index_prefix(kind, IndexId(20))));
        }
    }
}
