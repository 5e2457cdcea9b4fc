//! The log as the Raft library wants it.
//!
//! The end of the log is kept in memory: entries are readable as soon as they are given, before
//! they are on disk, and apply reads them from here, so that in the steady state nothing is read
//! back or decoded. Writing is the [`writer`](super::writer)'s.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures_util::{Stream, StreamExt, stream};
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::codec::{CodecError, decode_entry};
use super::disk::LogDisk;
use super::keys::{entry_index, entry_key};
use super::open::{Surroundings, disk_error, stored_bytes};
use super::retention::{Keep, Retention};
use super::writer::{Job, Writer};
use crate::error::RaftError;
use crate::node::{Gate, Health};
use crate::types::{Entry, EntryPayload, LogId, Types, Vote};
use crate::workers::{Queue, Worker};

/// Entries read at a time. Unit: bytes as stored; at least one entry.
const MAX_READ_BYTES: usize = 4 * 1024 * 1024;
/// Entries handed to one peer at a time, so that the 64 requests that may wait at it are no burden. Unit as above.
const MAX_SEND_BYTES: usize = 1024 * 1024;

/// What was found when the log was opened.
pub(super) struct OpenedLog {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    pub(super) committed: Option<LogId>,
    /// Bytes of entries that the state did not hold.
    pub(super) unapplied_bytes: u64,
}

/// The log. Clones are handles to the same one.
#[derive(Clone)]
pub(crate) struct LogStore {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn LogDisk>,
    recent: Arc<Recent>,
    writer: Arc<Writer>,
    queue: Queue<Job>,
    gate: Arc<Gate>,
    worker: Mutex<Option<Worker>>,
    health: Arc<Health>,
    node_id: u64,
}

/// The end of the log in memory, and where it stands.
pub(super) struct Recent {
    state: Mutex<RecentState>,
    limit_bytes: usize,
}

struct RecentState {
    vote: Option<Vote>,
    purged: Option<LogId>,
    last: Option<LogId>,
    committed: Option<LogId>,
    /// Consecutive entries, ending with the log's last.
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Entries before this index are synced.
    written_end: u64,
    retention: Retention,
}

impl RecentState {
    fn first_cached(&self) -> u64 {
        match self.entries.front() {
            Some(entry) => entry.log_id.index(),
            None => self.last.as_ref().map_or(0, |id| id.index() + 1),
        }
    }

    /// Lets go of old entries over the limit, but never of one that is not on disk yet.
    fn evict(&mut self, limit_bytes: usize) {
        while self.bytes > limit_bytes
            && self.entries.front().is_some_and(|entry| entry.log_id.index() < self.written_end)
            && let Some(entry) = self.entries.pop_front()
        {
            self.bytes -= entry_bytes(&entry);
        }
    }
}

impl Recent {
    pub(super) fn written(&self, last_index: u64, bytes: u64, now_millis: u64) {
        let mut state = self.state.lock();
        state.written_end = state.written_end.max(last_index + 1);
        state.retention.append(last_index, bytes, now_millis);
        state.evict(self.limit_bytes);
    }
}

fn entry_bytes(entry: &Entry) -> usize {
    stored_bytes(match &entry.payload {
        EntryPayload::Normal(proposal) => proposal.0.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    })
}

impl LogStore {
    /// Entries before this index are synced.
    pub(crate) fn written_end(&self) -> u64 {
        self.shared.recent.state.lock().written_end
    }

    pub(super) fn start(
        disk: Arc<dyn LogDisk>,
        opened: OpenedLog,
        surroundings: Surroundings,
    ) -> io::Result<Self> {
        let Surroundings { recent_bytes, node_id, clock, health, gate, workers } = surroundings;
        let recent = Arc::new(Recent {
            state: Mutex::new(RecentState {
                vote: opened.vote,
                purged: opened.purged,
                last: opened.last,
                committed: opened.committed,
                entries: VecDeque::new(),
                bytes: 0,
                written_end: opened.last.as_ref().map_or(0, |id| id.index() + 1),
                retention: Retention::found(
                    opened.last.as_ref().map(|id| id.index()),
                    opened.unapplied_bytes,
                    clock.monotonic_millis(),
                ),
            }),
            limit_bytes: recent_bytes,
        });
        let writer = Arc::new(Writer {
            disk: Arc::clone(&disk),
            recent: Arc::clone(&recent),
            health: Arc::clone(&health),
            clock,
            under_way: AtomicUsize::new(0),
        });
        let (queue, worker) = writer.start(&workers)?;
        let worker = Mutex::new(Some(worker));
        let shared = Shared { disk, recent, writer, queue, gate, worker, health, node_id };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What was known committed at open, or is now.
    pub(crate) fn committed(&self) -> Option<LogId> {
        self.shared.recent.state.lock().committed
    }

    /// Bytes appended since the log was opened, and those found then that the state did not hold.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.shared.recent.state.lock().retention.appended_bytes()
    }

    /// The last entry that need not be kept for others, if purging is worth it.
    pub(crate) fn purgeable(&self, keep: Keep, now_millis: u64) -> Option<u64> {
        self.shared.recent.state.lock().retention.purgeable(keep, now_millis)
    }

    /// Ends the writer after all that waits, and closes the disk. Where the writer is a thread this blocks, and is over when
    /// it is first polled.
    pub(crate) async fn close(&self) -> Result<(), RaftError> {
        let Some(worker) = self.shared.worker.lock().take() else { return Ok(()) };
        let result = worker.end(&self.shared.queue, |done| Job::Close { done }).await;
        match (self.shared.health.failed(), result) {
            (Some(error), _) => Err(error),
            (None, Some(Ok(()))) => Ok(()),
            (None, Some(Err(error))) => Err(RaftError::DiskFailed(error.to_string())),
            (None, None) => Err(RaftError::DiskFailed("whoever writes the log is gone".to_owned())),
        }
    }

    /// Entries of `start..end` that exist: at most `limit_bytes`, and at least one if there is any.
    pub(crate) fn read(&self, start: u64, end: u64, limit_bytes: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut next = start;
        loop {
            let first_cached = {
                let state = self.shared.recent.state.lock();
                next = next.max(state.purged.as_ref().map_or(0, |id| id.index() + 1));
                let first = state.first_cached();
                if next >= first {
                    let skip = usize::try_from(next - first).unwrap_or(usize::MAX);
                    for entry in state.entries.iter().skip(skip) {
                        if entry.log_id.index() >= end || (bytes >= limit_bytes && !entries.is_empty()) {
                            break;
                        }
                        bytes += entry_bytes(entry);
                        entries.push(entry.clone());
                    }
                    return Ok(entries);
                }
                if next >= end || (bytes >= limit_bytes && !entries.is_empty()) {
                    return Ok(entries);
                }
                first
            };
            // Not cached, therefore on disk. Read without the lock; a purge meanwhile shows as a gap.
            let found =
                self.read_disk(next, end.min(first_cached), limit_bytes.saturating_sub(bytes).max(1))?;
            let Some(last) = found.last() else {
                next = first_cached;
                continue;
            };
            next = last.log_id.index() + 1;
            bytes += found.iter().map(entry_bytes).sum::<usize>();
            entries.extend(found);
        }
    }

    /// Consecutive entries from the first that is there.
    fn read_disk(&self, start: u64, end: u64, limit_bytes: usize) -> io::Result<Vec<Entry>> {
        let limit_bytes = limit_bytes.min(MAX_READ_BYTES);
        let disk = &self.shared.disk;
        let records = disk.read(&entry_key(start), &entry_key(end), limit_bytes).map_err(|error| {
            let text = error.to_string();
            self.shared.health.fail(disk_error(error));
            io::Error::other(text)
        })?;
        let mut entries: Vec<Entry> = Vec::with_capacity(records.len());
        for (key, value) in records {
            let entry = entry_index(&key)
                .map_err(CodecError::from)
                .and_then(|index| Ok((index, decode_entry(index, &value)?)));
            let (index, stored) = entry.map_err(|error| {
                let error = error.of(&format!("an entry of the log at {start} or later"));
                self.shared.health.fail(error.clone());
                io::Error::new(io::ErrorKind::InvalidData, error.to_string())
            })?;
            if entries.last().is_some_and(|last| last.log_id.index() + 1 != index) {
                break;
            }
            entries.push(stored.entry);
        }
        Ok(entries)
    }

    fn give(&self, job: Job) -> io::Result<()> {
        self.shared.writer.give(&self.shared.queue, job)
    }

    /// Whether an entry is better written in place than by the writer: where nothing else waits, so that nobody is
    /// kept from joining its sync, and where the library's thread may stand still that long, because no peer waits for a
    /// heartbeat of it.
    fn writes_in_place(&self, entries: usize) -> bool {
        let shared = &self.shared;
        entries == 1 && shared.gate.waiting() <= 1 && shared.health.is_sole_voter() && shared.writer.is_idle()
    }

    async fn wait(&self, job: impl FnOnce(super::writer::Done) -> Job) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        let done = Box::new(move |result| {
            // The library may have dropped the call; the write stands all the same.
            let _ = sender.send(result);
        });
        self.give(job(done))?;
        receiver.await.map_err(|_| io::Error::other("the log is closed"))?
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl<R: Send + Sync + 'static> RaftLogReader<Types<R>> for LogStore {
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        // Piece by piece: after a restart the range may be the whole log.
        let (start, end) = bounds(&range);
        let log = self.clone();
        stream::unfold(start, move |next| {
            let log = log.clone();
            async move {
                if next >= end {
                    return None;
                }
                match log.read(next, end, MAX_READ_BYTES) {
                    Ok(entries) => {
                        let last = entries.last()?.log_id.index();
                        Some((entries.into_iter().map(Ok).collect::<Vec<_>>(), last + 1))
                    }
                    Err(error) => Some((vec![Err(error)], end)),
                }
            }
        })
        .flat_map(stream::iter)
    }

    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        self.read(start, end, usize::MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.shared.recent.state.lock().vote)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.read(start, end, MAX_SEND_BYTES)
    }
}

impl<R: Send + Sync + 'static> RaftLogStorage<Types<R>> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types<R>>, io::Error> {
        let state = self.shared.recent.state.lock();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        if vote.leader_id.voted_for != self.shared.node_id {
            self.shared.health.no_longer_sole_voter();
        }
        let vote = *vote;
        self.wait(|done| Job::SaveVote { vote, done }).await?;
        // Readable only now: a vote that is not durable must not be seen.
        self.shared.recent.state.lock().vote = Some(vote);
        Ok(())
    }

    /// Kept in memory and written with the next entries, so it costs no write: what a crash takes
    /// back of it is only what need not be replayed before the leader confirms it again.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.shared.recent.state.lock().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.shared.recent.state.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types<R>>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let me = self.shared.node_id;
        let committed = {
            let mut state = self.shared.recent.state.lock();
            for entry in &entries {
                if let EntryPayload::Membership(membership) = &entry.payload
                    && membership.voter_ids().any(|id| id != me)
                {
                    // Before it can reach anyone: from here on others may elect a leader.
                    self.shared.health.no_longer_sole_voter();
                }
                state.bytes += entry_bytes(entry);
                state.last = Some(entry.log_id);
                state.entries.push_back(entry.clone());
            }
            state.committed
        };
        let in_place = self.writes_in_place(entries.len());
        let job = Job::Append { entries, committed, done: Box::new(|result| callback.io_completed(result)) };
        if in_place {
            self.shared.writer.write_in_place(job);
            return Ok(());
        }
        self.give(job)
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.as_ref().map_or(0, |id| id.index() + 1);
        {
            let mut state = self.shared.recent.state.lock();
            while state.entries.back().is_some_and(|entry| entry.log_id.index() >= from)
                && let Some(entry) = state.entries.pop_back()
            {
                state.bytes -= entry_bytes(&entry);
            }
            state.last = state.last.min(last_log_id).max(state.purged);
            state.written_end = state.written_end.min(from);
            state.retention.truncated(last_log_id.map(|id| id.index()));
        }
        self.wait(|done| Job::Truncate { from, done }).await?;
        // An append before it may have been called written meanwhile.
        let mut state = self.shared.recent.state.lock();
        state.written_end = state.written_end.min(from);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        {
            let mut state = self.shared.recent.state.lock();
            state.purged = state.purged.max(Some(log_id));
            state.last = state.last.max(Some(log_id));
            while state.entries.front().is_some_and(|entry| entry.log_id.index() <= log_id.index())
                && let Some(entry) = state.entries.pop_front()
            {
                state.bytes -= entry_bytes(&entry);
            }
            state.written_end = state.written_end.max(log_id.index() + 1);
            state.retention.purged(log_id.index());
        }
        self.wait(|done| Job::Purge { upto: log_id, done }).await
    }
}
