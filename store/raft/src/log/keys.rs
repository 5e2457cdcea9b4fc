//! Keys of the log's records. The kind bytes are fixed numbers.
//!
//! Entries lie under kind 16 and their index in big-endian order, so that entries are appended at
//! the end of the map and purged from its start, and the engine need never merge old with new.

use bytes::{BufMut, Bytes, BytesMut};

/// Format of the whole log. Value: one byte.
pub(super) const FORMAT_KEY: &[u8] = &[1];
/// The vote. Written by the Raft library's will; correctness depends on it.
pub(super) const VOTE_KEY: &[u8] = &[2];
/// Position of the last purged entry. Written before its entries are removed.
pub(super) const PURGED_KEY: &[u8] = &[3];
const ENTRY_KIND: u8 = 16;
/// First key past every entry.
pub(super) const ENTRIES_END: &[u8] = &[ENTRY_KIND + 1];
const ENTRY_KEY_BYTES: usize = 9;

pub(super) fn entry_key(index: u64) -> Bytes {
    let mut key = BytesMut::with_capacity(ENTRY_KEY_BYTES);
    key.put_u8(ENTRY_KIND);
    key.put_u64(index);
    key.freeze()
}

pub(super) fn entry_index(key: &[u8]) -> Result<u64, String> {
    match key.split_first() {
        Some((&ENTRY_KIND, index)) => {
            let index = index.try_into().map_err(|_| "a key of an entry has a wrong length".to_owned())?;
            Ok(u64::from_be_bytes(index))
        }
        _ => Err("a key is not that of an entry".to_owned()),
    }
}
