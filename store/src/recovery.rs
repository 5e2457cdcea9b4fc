//! Makes a group of one of what one member's store has, for an operator who has lost the others for ever.
//!
//! In this order, and each step may be repeated: [`look`] says what there is; [`take_over`] makes the member the only one that its
//! log knows; opening and closing the store then brings the state up to all that the log has; [`begin_anew`] makes another history
//! of it. Whoever calls them sees to it that nobody opens the store in between for anything else.
//!
//! Why another history: the group may have committed what this member never heard of, and the versions it gave to that are given
//! to other writes from here on. So the incarnation changes, after which no version of the old group is taken for one of the new.
//! For the same reason the log is let go of (what it would be replayed to is of the old history), and ids of attribute lists that
//! the old group may have given, and clients may remember, are left out: at least as many as there can have been, and how many more
//! is drawn, since of one group several may be made, one after the other, and clients may live through two of them.

use api::Version;
use raft::Member;
use raft::log::recovery as log_recovery;

use crate::attribute_lists::{IDS_END, LISTS_MAX, PASSING_IDS, PASSING_IDS_END};
use crate::command::{Body, Command, SEMANTICS_LEVEL};
use crate::db::{Batch, DbLogDisk, Durability, SharedDb};
use crate::error::OpenError;
use crate::kv;
use crate::kv::applied::Applied;
use crate::state::Loaded;

/// Stretches of passing ids that a group is taken to have given at most without this member having heard of it.
const PASSING_STRETCHES: u64 = 1 << 20;
/// Which part of the ids that are left a recovery may leave out: so there are always some for another.
const DRAWN_PART: u64 = 16;

/// Random numbers, for a history of its own.
#[derive(Debug, Clone, Copy)]
pub struct Drawn {
    /// For its incarnation.
    pub incarnation: u64,
    /// For the ids of attribute lists that it leaves out.
    pub lists: u64,
    /// For those that need not last.
    pub passing: u64,
}

/// What a store that nobody has open has.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Its log.
    pub log: log_recovery::Found,
    /// How far its state goes. Incarnation 0: it has nothing yet that is durable.
    pub version: Version,
    /// When the newest command that it knows of was made, by the clock of the primary that made it, milliseconds since the epoch.
    /// None: there is none, so it holds nothing.
    pub last_millis: Option<u64>,
    /// The same of the newest write of a caller. None: there is none in what is kept of the log.
    pub last_write_millis: Option<u64>,
}

/// Looks at a store, by its log and its state if that was ever made. Changes nothing.
///
/// Errors: what opening the store would refuse.
pub fn look(log: SharedDb, state: Option<&SharedDb>) -> Result<Found, OpenError> {
    let applied = match state {
        Some(state) => Loaded::read(state, SEMANTICS_LEVEL)?.applied().clone(),
        None => Applied::default(),
    };
    let disk = DbLogDisk::new(log);
    let found = log_recovery::look(&disk, mark(&applied)).map_err(from_log)?;
    let newest = |of: fn(&Body) -> bool| {
        let made = |entry: &bytes::Bytes| {
            let command = Command::decode(entry).ok()?;
            of(&command.body).then_some(command.clock_millis)
        };
        log_recovery::newest_command(&disk, &found, made).map_err(from_log)
    };
    let last_write_millis = newest(|body| matches!(body, Body::Write { .. } | Body::Control { .. }))?;
    let applied_millis = (applied.version.incarnation != 0).then_some(applied.log_time_millis);
    let last_millis = newest(|_| true)?.max(applied_millis);
    Ok(Found { log: found, version: applied.version, last_millis, last_write_millis })
}

/// Makes a member the only one that its log knows. Durable when it returns.
///
/// Errors: what opening the store would refuse; a disk that can't be written to.
pub fn take_over(
    log: SharedDb,
    state: Option<&SharedDb>,
    node: u64,
    member: Member,
) -> Result<(), OpenError> {
    let applied = match state {
        Some(state) => Loaded::read(state, SEMANTICS_LEVEL)?.applied().clone(),
        None => Applied::default(),
    };
    log_recovery::take_over(&DbLogDisk::new(log), mark(&applied), node, member).map_err(from_log)
}

/// Makes a history of its own of a state that was brought up to its log. Durable when it returns, and whole or
/// not at all whatever happens. Answers where it begins.
///
/// Errors: what opening the store would refuse; a state of which so many groups were made that no ids are left; a disk that can't be
/// written to.
pub fn begin_anew(state: &SharedDb, drawn: Drawn) -> Result<Version, OpenError> {
    let loaded = Loaded::read(state, SEMANTICS_LEVEL)?;
    let before = loaded.applied();
    // 0 is a store that has not begun.
    let incarnation = drawn.incarnation.max(1);
    let incarnation = if incarnation == before.version.incarnation { incarnation ^ 2 } else { incarnation };
    let version = Version { incarnation, ..before.version };
    let log_state = log_recovery::without_its_log(&before.log_state).map_err(from_log)?;
    let passing = kv::sequence::PASSING_LISTS;
    let stretch = passing.next(state.get(&passing.key())?.as_deref())?.div_ceil(PASSING_IDS);
    let stretch = beyond(stretch, PASSING_STRETCHES, PASSING_IDS_END / PASSING_IDS, drawn.passing);
    let list = beyond(loaded.lists_end(), LISTS_MAX as u64, IDS_END, drawn.lists);
    let (stretch, list) = stretch.zip(list).ok_or(OpenError::NoIds)?;
    let mut batch = Batch::new();
    batch.put(kv::attribute_list::key(list - 1).to_vec(), kv::attribute_list::encode(&[]));
    batch.put(passing.key().to_vec(), kv::sequence::encode(stretch * PASSING_IDS));
    batch.put(&kv::applied::KEY[..], Applied { version, log_state, ..before.clone() }.encode());
    state.write(batch, Durability::Buffered)?;
    state.flush()?;
    Ok(version)
}

/// Where numbers go on that were at `next`, when others may have given `most` that clients know, and as many again must fit before `end`.
/// With another random number it is somewhere else: two that go on from one place meet only where the draw lies closer than what one of
/// them gives. None: there is no room.
fn beyond(next: u64, most: u64, end: u64, random: u64) -> Option<u64> {
    let first = next.checked_add(most)?;
    let room = end.checked_sub(most)?.checked_sub(first)?;
    Some(first + random % (room / DRAWN_PART + 1))
}

fn mark(applied: &Applied) -> Option<&bytes::Bytes> {
    Some(&applied.log_state).filter(|mark| !mark.is_empty())
}

fn from_log(error: raft::RaftError) -> OpenError {
    OpenError::Log(error.to_string())
}

#[cfg(feature = "rocksdb")]
pub use on_disk::OnDisk;

#[cfg(feature = "rocksdb")]
mod on_disk {
    use std::path::Path;
    use std::sync::Arc;

    use raft::RaftSettings;

    use super::*;
    use crate::db::rocks::{RocksEngine, home};
    use crate::embedded::{Embedded, EmbeddedSettings, Surroundings};
    use crate::kept::is_instance;

    /// The steps, of a store below a directory. All of them block.
    pub struct OnDisk<'a> {
        /// What opens it.
        pub engine: &'a RocksEngine,
        /// Where it lies.
        pub directory: &'a Path,
    }

    impl OnDisk<'_> {
        /// See [`look`]. None: there is no store. Errors besides: one that a process has open.
        pub fn look(&self) -> Result<Option<Found>, OpenError> {
            let state = self.directory.join(home::in_use(self.directory)?);
            let log = self.directory.join("log");
            if !is_instance(&state) && !is_instance(&log) {
                return Ok(None);
            }
            if !is_instance(&log) {
                let what = format!("{} is missing; restore the whole directory from a backup", log.display());
                return Err(OpenError::Log(what));
            }
            let state = match is_instance(&state) {
                true => Some(Arc::new(self.engine.look_into(&state)?) as SharedDb),
                false => None,
            };
            look(Arc::new(self.engine.look_into(&log)?), state.as_ref()).map(Some)
        }

        /// Opens both instances as a start does, which mends what a crash may have left. Errors: what a start would refuse.
        pub fn check(&self) -> Result<(), OpenError> {
            self.with_both(|log, state| look(log, Some(state)).map(drop))
        }

        /// See [`take_over`].
        pub fn take_over(&self, node: u64, member: Member) -> Result<(), OpenError> {
            self.with_both(|log, state| take_over(log, Some(state), node, member))
        }

        /// Opens the store alone and closes it: then its state has all that its log has.
        pub fn bring_up(&self, raft: RaftSettings, surroundings: Surroundings) -> Result<(), OpenError> {
            let settings = EmbeddedSettings { raft, network: None, ..EmbeddedSettings::default() };
            let store = Embedded::on_disk(settings, self.engine, self.directory, surroundings, Arc::new(()))?;
            let closing = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let closing = closing.map_err(|error| OpenError::Log(format!("no runtime: {error}")))?;
            closing.block_on(store.close()).map_err(|error| OpenError::Log(error.message.into_owned()))
        }

        /// See [`begin_anew`].
        pub fn begin_anew(&self, drawn: Drawn) -> Result<Version, OpenError> {
            self.with_both(|_, state| begin_anew(state, drawn))
        }

        /// The state is made where it is missing, as by any start.
        fn with_both<T>(
            &self,
            work: impl FnOnce(SharedDb, &SharedDb) -> Result<T, OpenError>,
        ) -> Result<T, OpenError> {
            let log: SharedDb = Arc::new(self.engine.open_log(&self.directory.join("log"))?);
            let in_use = self.directory.join(home::in_use(self.directory)?);
            let state: SharedDb = Arc::new(self.engine.open_state(&in_use)?);
            crate::state::begin_format(&state)?;
            let done = work(Arc::clone(&log), &state)?;
            log.close()?;
            state.close()?;
            Ok(done)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_ids_go_on_is_drawn_and_there_is_always_room_for_another() {
        let most = LISTS_MAX as u64;
        assert_eq!(beyond(2, most, IDS_END, 0), Some(2 + most));
        assert_ne!(beyond(2, most, IDS_END, 1 << 20), beyond(2, most, IDS_END, 1 << 27));
        for (end, most) in [(IDS_END, most), (PASSING_IDS_END / PASSING_IDS, PASSING_STRETCHES)] {
            // As far as can be drawn, each time, and after it all that may be given.
            let mut next = 2;
            for _ in 0..60 {
                let room = end - most - (next + most);
                next = beyond(next, most, end, room / DRAWN_PART).expect("there is room") + most;
                assert!(next <= end);
            }
            assert_eq!(beyond(end - 2 * most + 1, most, end, 0), None);
            assert_eq!(beyond(u64::MAX, most, end, 7), None);
        }
    }
}
