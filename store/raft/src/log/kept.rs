//! Who belongs to the group that a log is of, read without opening it.
//!
//! For whoever must know whose data this is before a node is made of it. Changes nothing, and mends nothing: what can't be read is
//! passed over, since the opening has its own to say about that.

use bytes::Bytes;

use super::codec::decode_entry;
use super::disk::LogDisk;
use super::keys::{ENTRIES_END, entry_index, entry_key};
use super::open::disk_error;
use crate::error::RaftError;
use crate::member::Members;
use crate::state::Mark;
use crate::types::{EntryPayload, StoredMembership};

/// Bytes read at a time.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// The members that a state's mark knows, if it can be read and knows any.
pub fn members_in_mark(mark: &Bytes) -> Option<Members> {
    let mark = Mark::decode(mark).ok()?;
    mark.membership.log_id().as_ref()?;
    Some(Members::from_library(&mark.membership))
}

/// The members that a log had last. Without an index: it has none, and is that of a node that has nothing yet.
///
/// Errors: a disk that can't be read.
pub fn members_in_log(disk: &dyn LogDisk) -> Result<Members, RaftError> {
    let mut newest = StoredMembership::default();
    let mut from = entry_key(0);
    loop {
        let records = disk.read(&from, ENTRIES_END, READ_BYTES).map_err(disk_error)?;
        let Some((last, _)) = records.last() else { break };
        let Ok(index) = entry_index(last) else { break };
        from = entry_key(index + 1);
        for (key, value) in &records {
            let Ok(stored) =
                entry_index(key).map_err(drop).and_then(|at| decode_entry(at, value).map_err(drop))
            else {
                continue;
            };
            if let EntryPayload::Membership(membership) = stored.entry.payload {
                newest = StoredMembership::new(Some(stored.entry.log_id), membership);
            }
        }
    }
    Ok(Members::from_library(&newest))
}
