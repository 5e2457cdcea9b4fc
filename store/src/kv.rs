//! The list of record kinds and their type bytes: what stands in the state, and under which keys.
//!
//! What it is for: every key the state holds begins with one byte of [`Kind`]; each kind has one file here with its
//! layout, its codec and its round-trip test. Whoever reads or writes the state goes through these files.
//!
//! What it deliberately does not do: it reads and writes no engine, and it knows no operation.
//!
//! Invariants: a number once given to a kind never changes its meaning and never comes back. Keys of one kind sort by
//! their parts, left to right; integers in keys are big endian. Values begin with a format byte, so that a record can
//! change its shape without a rewrite of the store. Decoding bytes from disk never panics; what is not understood is
//! [`Malformed`].

pub mod applied;
pub mod attribute_list;
pub mod backfill;
pub mod collection;
pub mod counters;
pub mod dropped;
pub mod format;
pub mod index_entry;
pub mod item;
pub mod parameter;
pub mod sequence;
pub mod table;
pub mod token;

mod reader;

use xxhash_rust::xxh3::xxh3_64;

/// Kinds of records. The numbers are on disk: fixed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The store's format number; one record. See [`format`].
    Format = 0x01,
    /// Applied version, log time, log position; one record. See [`applied`].
    Applied = 0x02,
    /// The next table or index id; one record. See [`sequence`].
    Sequence = 0x03,
    /// A parameter of the whole group, by its number. See [`parameter`].
    Parameter = 0x04,
    /// A table's schema, by table id. See [`table`].
    Table = 0x10,
    /// Items and bytes of a table and its indexes, by table id. See [`counters`].
    Counters = 0x11,
    /// An id whose records are still to be removed. See [`dropped`].
    Dropped = 0x12,
    /// How far an index has been filled, by index id. See [`backfill`].
    Backfill = 0x13,
    /// An item. See [`item`].
    Item = 0x20,
    /// An entry of a local index. See [`index_entry`].
    LocalIndex = 0x21,
    /// An entry of a global index. See [`index_entry`].
    GlobalIndex = 0x22,
    /// Bytes of one item collection, of tables with local indexes. See [`collection`].
    Collection = 0x23,
    /// An idempotency token. See [`token`].
    Token = 0x30,
    /// Idempotency tokens by their log time, for forgetting them. See [`token`].
    TokenTime = 0x31,
    /// Reserved: stream records.
    Stream = 0x40,
    /// Reserved: items by the time they expire.
    TimeToLive = 0x50,
    /// A list of attribute names, by its id. See [`attribute_list`].
    AttributeList = 0x60,
    /// The next id for lists that need not last; one record. See [`sequence`].
    PassingLists = 0x61,
}

/// Stored bytes that no version of this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored record of kind {kind:?} is malformed: {reason}")]
pub struct Malformed {
    /// Which kind of record.
    pub kind: Kind,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The hash that spreads partitions over the key space: xxh3-64 of the partition value in order-preserving form, seed 0.
/// It is part of every key on disk and decides the order of scans: fixed for ever.
pub fn partition_hash(partition: &[u8]) -> u64 {
    xxh3_64(partition)
}

/// A key of a kind and an id.
fn id_key(kind: Kind, id: u64) -> [u8; 9] {
    let mut key = [kind as u8; 9];
    key[1..].copy_from_slice(&id.to_be_bytes());
    key
}
