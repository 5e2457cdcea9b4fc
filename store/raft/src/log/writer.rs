//! Writes the log, by a worker of its own.
//!
//! Invariant: jobs take effect in the order they were given. All jobs that wait are written as one
//! synced batch (group commit) and only then called done, so an entry alone costs one sync, and
//! many together cost one as well. After a failure every later job fails without touching the disk.
//!
//! A job may be written in place, by whoever gives it, where nothing waits to be
//! written: that saves the hop there and back, which costs as much as a fast disk's sync. The order
//! holds, because jobs are given by one thread, and by it only when nothing that it gave before is
//! still on its way.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::codec::{encode_entry, encode_log_id, encode_vote};
use super::disk::{LogBatch, LogDisk, LogDiskError, LogOp, Sync};
use super::keys::{ENTRIES_END, PURGED_KEY, VOTE_KEY, entry_key};
use super::store::Recent;
use crate::clock::Clock;
use crate::node::Health;
use crate::types::{Entry, LogId, Vote};
use crate::workers::{Queue, Tell, Work, Worker, Workers};

/// Jobs that may wait for the writer; more make the giver wait.
const MAX_WAITING_JOBS: usize = 4_096;
/// Bytes of one batch beyond which no further job joins it.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

pub(super) type Done = Tell<io::Result<()>>;

pub(super) enum Job {
    Append {
        entries: Vec<Entry>,
        committed: Option<LogId>,
        done: Done,
    },
    SaveVote {
        vote: Vote,
        done: Done,
    },
    /// Removes entries from this index on.
    Truncate {
        from: u64,
        done: Done,
    },
    /// Removes entries up to and with this one.
    Purge {
        upto: LogId,
        done: Done,
    },
    Close {
        done: Done,
    },
}

pub(super) struct Writer {
    pub(super) disk: Arc<dyn LogDisk>,
    pub(super) recent: Arc<Recent>,
    pub(super) health: Arc<Health>,
    pub(super) clock: Arc<dyn Clock>,
    /// Jobs given to the worker and not done yet.
    pub(super) under_way: AtomicUsize,
}

/// What one batch is made of, besides its changes.
#[derive(Default)]
struct Group {
    batch: LogBatch,
    bytes: usize,
    done: Vec<Done>,
    /// The last entry in it.
    last_index: Option<u64>,
    appended_bytes: u64,
    purge_before: Option<u64>,
    close: bool,
}

impl Writer {
    pub(super) fn start(self: &Arc<Self>, workers: &Workers) -> io::Result<(Queue<Job>, Worker)> {
        let writer = Arc::clone(self);
        workers.start("raft-log", MAX_WAITING_JOBS, Work::Log, move |first, next| writer.step(first, next))
    }

    /// Gives a job to the worker. Waits only where very many wait already.
    pub(super) fn give(&self, queue: &Queue<Job>, job: Job) -> io::Result<()> {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        queue.give(job).map_err(|_| io::Error::other("the log is closed"))
    }

    /// Writes a job here and now. Only for the one thread that gives jobs, when none is under way.
    pub(super) fn write_in_place(&self, job: Job) {
        let mut group = Group::default();
        group.add(job);
        self.write(group);
    }

    /// Whether the worker has nothing to do and nothing on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }

    fn step(&self, first: Job, next: &mut dyn FnMut() -> Option<Job>) -> ControlFlow<()> {
        let mut group = Group::default();
        group.add(first);
        while group.bytes < MAX_BATCH_BYTES
            && !group.close
            && let Some(job) = next()
        {
            group.add(job);
        }
        let jobs = group.done.len();
        let closed = self.write(group);
        self.under_way.fetch_sub(jobs, Ordering::AcqRel);
        if closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Writes a group and calls it done. Answers whether the log is closed.
    fn write(&self, group: Group) -> bool {
        let Group { batch, done, last_index, appended_bytes, purge_before, close, .. } = group;
        let result = match self.health.failed() {
            Some(error) => Err(io::Error::other(error.to_string())),
            None => self.put(batch, purge_before, close).map_err(|error| {
                let text = error.to_string();
                self.health.fail_disk(error);
                io::Error::other(text)
            }),
        };
        if let (Ok(()), Some(last_index)) = (&result, last_index) {
            self.recent.written(last_index, appended_bytes, self.clock.monotonic_millis());
        }
        for done in done {
            done(match &result {
                Ok(()) => Ok(()),
                Err(error) => Err(io::Error::other(error.to_string())),
            });
        }
        close
    }

    fn put(&self, batch: LogBatch, purge_before: Option<u64>, close: bool) -> Result<(), LogDiskError> {
        if !batch.ops.is_empty() {
            self.disk.write(batch, Sync::Now)?;
        }
        // The purged position is durable by now: entries left behind by a crash are known as such.
        if let Some(before) = purge_before {
            self.disk.drop_range(&entry_key(0), &entry_key(before))?;
        }
        if close {
            self.disk.close()?;
        }
        Ok(())
    }
}

impl Group {
    fn add(&mut self, job: Job) {
        match job {
            Job::Append { entries, committed, done } => {
                for entry in &entries {
                    let value = encode_entry(entry, committed.as_ref());
                    self.bytes += value.len();
                    self.appended_bytes += value.len() as u64;
                    self.last_index = Some(entry.log_id.index());
                    self.batch.ops.push(LogOp::Put { key: entry_key(entry.log_id.index()), value });
                }
                self.done.push(done);
            }
            Job::SaveVote { vote, done } => {
                let key = VOTE_KEY.into();
                self.batch.ops.push(LogOp::Put { key, value: encode_vote(&vote) });
                self.done.push(done);
            }
            Job::Truncate { from, done } => {
                let (start, end) = (entry_key(from), ENTRIES_END.into());
                self.batch.ops.push(LogOp::DeleteRange { start, end });
                self.last_index = self.last_index.map(|last| last.min(from.saturating_sub(1)));
                self.done.push(done);
            }
            Job::Purge { upto, done } => {
                let key = PURGED_KEY.into();
                self.batch.ops.push(LogOp::Put { key, value: encode_log_id(&upto) });
                self.purge_before = self.purge_before.max(Some(upto.index() + 1));
                self.done.push(done);
            }
            Job::Close { done } => {
                self.close = true;
                self.done.push(done);
            }
        }
    }
}
