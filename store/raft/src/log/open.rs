//! What is checked, and mended, before a log is trusted.
//!
//! Entries past what the state has already applied are read and checked, since they will be
//! replayed; older ones are checked whenever they are read. What a crash can leave is cut: entries
//! at the end, never called done, that are torn. What a crash cannot leave is refused: a bad entry
//! or a hole with good entries behind it, a bad entry known to be committed, a log that ends before
//! what the state has applied. There is one exception to that: what a quorum of the others has is applied before the own disk has it,
//! and the state may be flushed before the log is synced. The state's mark then says how far the log was synced. A log that has so
//! much has lost nothing that it had, and goes on behind the state, as behind one that came from a peer. What is kept of the
//! uncommitted tail is written again and synced, because a process killed after a failed sync may have left it in the system's
//! memory only.

use std::sync::Arc;

use bytes::Bytes;

use super::codec::{
    CodecError, ENTRY_OVERHEAD_BYTES, StoredEntry, decode_entry, decode_log_id, decode_vote, encode_log_id,
};
use super::disk::{LogBatch, LogDisk, LogDiskError, LogOp, Sync};
use super::keys::{ENTRIES_END, FORMAT_KEY, PURGED_KEY, VOTE_KEY, entry_index, entry_key};
use super::store::{LogStore, OpenedLog};
use crate::clock::Clock;
use crate::error::RaftError;
use crate::node::{Gate, Health};
use crate::state::Mark;
use crate::workers::Workers;

/// Format of the whole log.
const LOG_FORMAT: u8 = 1;
/// Bytes read at a time.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// What a log needs besides a disk.
pub(crate) struct Surroundings {
    /// How much of the log's end is kept in memory.
    pub(crate) recent_bytes: usize,
    pub(crate) node_id: u64,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) health: Arc<Health>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) workers: Workers,
}

/// Opens a log whose state stands, durably, where its mark says.
pub(crate) fn open(
    disk: Arc<dyn LogDisk>,
    mark: &Mark,
    surroundings: Surroundings,
) -> Result<LogStore, RaftError> {
    let (opened, mended) = examine(disk.as_ref(), mark)?;
    disk.write(mended, Sync::Now).map_err(disk_error)?;
    if let Some(purged) = &opened.purged {
        disk.drop_range(&entry_key(0), &entry_key(purged.index() + 1)).map_err(disk_error)?;
    }
    LogStore::start(disk, opened, surroundings)
        .map_err(|error| RaftError::DiskFailed(format!("the log's thread did not start: {error}")))
}

/// What stands in a log whose state stands, durably, where its mark says, and what has to be written before that can be trusted.
/// Changes nothing.
pub(super) fn examine(disk: &dyn LogDisk, mark: &Mark) -> Result<(OpenedLog, LogBatch), RaftError> {
    let (applied, installed) = (mark.applied.as_ref(), mark.installed.as_ref());
    let mut mended = LogBatch::default();
    match disk.get(FORMAT_KEY).map_err(disk_error)?.as_deref() {
        Some([LOG_FORMAT]) => {}
        Some([format]) => {
            let what = format!("the log has format {format}, and this program knows {LOG_FORMAT}");
            return Err(RaftError::Unsupported(what));
        }
        Some(_) => return Err(corrupt("the log's format record is not readable")),
        None => {
            if let Some((key, _)) = disk.last(&[], ENTRIES_END).map_err(disk_error)? {
                return Err(corrupt(format!("the log has no format record, yet a record {key:02x?}")));
            }
            mended.ops.push(LogOp::Put { key: FORMAT_KEY.into(), value: Bytes::from(vec![LOG_FORMAT]) });
        }
    }
    let vote = match disk.get(VOTE_KEY).map_err(disk_error)? {
        Some(bytes) => Some(decode_vote(&bytes).map_err(|error| error.of("the vote"))?),
        None => None,
    };
    let purged = match disk.get(PURGED_KEY).map_err(disk_error)? {
        Some(bytes) => Some(decode_log_id(&bytes).map_err(|error| error.of("the purged position"))?),
        None => None,
    };
    // A crash may have come between the installing of a state and the purging of the log it took the place of.
    let purged = match (purged, installed) {
        (purged, Some(installed)) if purged.as_ref().is_none_or(|id| id.index() < installed.index()) => {
            let value = encode_log_id(installed);
            mended.ops.push(LogOp::Put { key: PURGED_KEY.into(), value });
            Some(*installed)
        }
        (purged, _) => purged,
    };
    let first = purged.as_ref().map_or(0, |id| id.index() + 1);
    let known = applied.map_or(0, |id| id.index() + 1);
    if known < first {
        // Nothing that was purged is needed, as long as nobody takes the state away.
        return Err(corrupt(format!(
            "the log begins with entry {first}, and the state has applied {}",
            known.checked_sub(1).map_or("nothing".to_owned(), |last| format!("only up to entry {last}"))
        )));
    }
    let synced = mark.log_end.unwrap_or(known).min(known);
    let mut tail = Tail::read(disk, first, synced, known)?;
    let (first, purged) = match applied {
        Some(applied) if tail.end < known => {
            let (end, last) = (tail.end, applied.index());
            if end < synced {
                return Err(corrupt(format!(
                    "the log ends before entry {end}, and the state has applied entry {last}"
                )));
            }
            tracing::warn!(end, applied = last, "the log ends before the state, and goes on behind it");
            mended.ops.push(LogOp::Put { key: PURGED_KEY.into(), value: encode_log_id(applied) });
            mended.ops.push(LogOp::DeleteRange { start: entry_key(0), end: ENTRIES_END.into() });
            tail = Tail::at(known);
            (known, Some(*applied))
        }
        _ => (first, purged),
    };
    if tail.cut {
        tracing::warn!(from = tail.end, "cut off a torn, never acknowledged end of the log");
        let (start, end) = (entry_key(tail.end), ENTRIES_END.into());
        mended.ops.push(LogOp::DeleteRange { start, end });
    }
    let last = tail.last.as_ref().map(|stored| stored.entry.log_id).or(purged);
    let committed = tail.last.as_ref().and_then(|stored| stored.committed).max(applied.copied());
    let settled = committed.as_ref().map_or(0, |id| id.index() + 1);
    rewrite(disk, settled.max(first), tail.end, &mut mended)?;
    Ok((OpenedLog { vote, purged, last, committed, unapplied_bytes: tail.unapplied_bytes }, mended))
}

/// What the end of the log looks like.
struct Tail {
    /// Index after the last good entry.
    end: u64,
    last: Option<StoredEntry>,
    /// Whether something past `end` must go.
    cut: bool,
    /// Bytes of good entries that the state does not hold.
    unapplied_bytes: u64,
}

impl Tail {
    /// Nothing, before this entry.
    fn at(end: u64) -> Self {
        Self { end, last: None, cut: false, unapplied_bytes: 0 }
    }

    /// Reads from `synced` (entries before were on disk, and are applied already) or, if none follow, the last entry. Those before
    /// `known` are in the state.
    fn read(disk: &dyn LogDisk, first: u64, synced: u64, known: u64) -> Result<Self, RaftError> {
        let mut tail = Self::at(first.max(synced.saturating_sub(1)));
        let mut from = tail.end;
        loop {
            let records = disk.read(&entry_key(from), ENTRIES_END, READ_BYTES).map_err(disk_error)?;
            let Some((last_key, _)) = records.last() else { break };
            from = entry_index(last_key).map_err(corrupt)? + 1;
            for (key, value) in &records {
                tail.take(entry_index(key).map_err(corrupt)?, value, synced, known)?;
            }
        }
        Ok(tail)
    }

    fn take(&mut self, index: u64, value: &Bytes, synced: u64, known: u64) -> Result<(), RaftError> {
        let stored = decode_entry(index, value);
        let committed = self.last.as_ref().and_then(|last| last.committed.as_ref());
        let settled = synced.max(committed.map_or(0, |id| id.index() + 1));
        match stored {
            Ok(_) if self.cut => Err(corrupt(format!(
                "entry {} is damaged or missing, and a good entry {index} stands behind it",
                self.end
            ))),
            Ok(_) if index != self.end => {
                Err(corrupt(format!("entries {} to {} are missing", self.end, index - 1)))
            }
            Ok(stored) => {
                self.end = index + 1;
                if index >= known {
                    self.unapplied_bytes += value.len() as u64;
                }
                self.last = Some(stored);
                Ok(())
            }
            // Its checksum is right: no crash made it so, and what a quorum may rest on is not cut off.
            Err(error @ CodecError::Newer(_)) => Err(error.of(&format!("entry {index} of the log"))),
            Err(CodecError::Damaged(what)) if index < settled => {
                Err(corrupt(format!("entry {index} is damaged, and was committed: {what}")))
            }
            Err(CodecError::Damaged(_)) => {
                self.cut = true;
                Ok(())
            }
        }
    }
}

fn rewrite(disk: &dyn LogDisk, from: u64, end: u64, into: &mut LogBatch) -> Result<(), RaftError> {
    let mut from = from;
    while from < end {
        let records = disk.read(&entry_key(from), &entry_key(end), READ_BYTES).map_err(disk_error)?;
        let Some((last_key, _)) = records.last() else { break };
        from = entry_index(last_key).map_err(corrupt)? + 1;
        into.ops.extend(records.into_iter().map(|(key, value)| LogOp::Put { key, value }));
    }
    Ok(())
}

/// Bytes an entry of this payload takes on disk.
pub(crate) fn stored_bytes(payload_bytes: usize) -> usize {
    ENTRY_OVERHEAD_BYTES + payload_bytes
}

pub(super) fn disk_error(error: LogDiskError) -> RaftError {
    match error {
        LogDiskError::Corrupt(what) => RaftError::Corrupt(what),
        LogDiskError::Full(what) | LogDiskError::Failed(what) => RaftError::DiskFailed(what),
    }
}

fn corrupt(what: impl Into<String>) -> RaftError {
    let what = what.into();
    RaftError::Corrupt(format!(
        "{what}; restore this node from a backup, or remove its data and let it join again"
    ))
}
