//! Applies committed entries, in order, many to one batch of the engine.
//!
//! For one batch: compute all changes, raise what they make stale, commit (effects and applied version together), publish
//! the new images, show the version, release the replies. So nobody is acknowledged before the state has the write, and
//! nobody who was acknowledged finds an older value.
//!
//! Invariants: an entry is applied once, however often the log hands it over, because the applied index stands in the
//! batch of its effects. An entry that can't be read as a command changes nothing, on every replica alike. No entry
//! panics. Once the engine has failed, nothing is applied until the store is opened again.

use std::sync::Arc;

use api::{Error, ErrorKind, Response, Version};
use bytes::Bytes;
use raft::{ApplyBatch, DurableState, ReceivedState, StateError, StateMachine, StateTransfer};

use crate::command::{Body, Command, CommandError, Noted};
use crate::db::DbError;
use crate::db::home::{CurrentDb, StateHome};
use crate::engine::{self, maintain, token};
use crate::error::{EngineError, internal};
use crate::kv;
use crate::kv::applied::Applied;
use crate::state::State;
use crate::transfer::{Received, Transfer};

/// Bytes of effects after which a batch is committed though more entries wait: bounds the time until the first of them
/// is acknowledged, and the memory of the batch.
const BATCH_BYTES: usize = 1024 * 1024;

/// What became of a command.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was done; the answer.
    Done(Response),
    /// It was refused, and changed nothing.
    Refused(Error),
    /// A table it rests on has changed since it was made: it changed nothing, and may be made again.
    Stale,
    /// A number that was given: an attribute list's id, or the first of a stretch of them.
    Given(u64),
    /// A step of our own, or an entry applied in an earlier life: nobody waits for an answer.
    Noted,
}

/// What the proposer of a command gets.
#[derive(Debug, Clone)]
pub struct Reply {
    /// When it took effect, or would have.
    pub version: Version,
    /// What became of it.
    pub outcome: Outcome,
}

/// The state machine behind the log.
pub struct Applier {
    state: State,
    home: Arc<dyn StateHome>,
}

impl Applier {
    /// Takes the state over. From here on only this applies to it. In `home` there is room for a peer's.
    pub fn new(state: State, home: Arc<dyn StateHome>) -> Applier {
        Applier { state, home }
    }

    fn apply_one(&mut self, index: u64, command: Result<Command, CommandError>) -> Result<Reply, StateError> {
        let state = &mut self.state;
        let outcome = match command {
            Err(error @ CommandError::Format(_)) => return Err(StateError::Unsupported(error.to_string())),
            Err(CommandError::Malformed) => {
                tracing::error!(index, "a log entry is no command; it is skipped");
                state.begin(index, 0);
                Outcome::Refused(internal())
            }
            Ok(command) => {
                state.begin(index, command.clock_millis);
                check_level(state, index, &command.body)?;
                if let Body::Compare { noted } = command.body {
                    compare(state, noted)?;
                }
                match run(state, command) {
                    Ok(outcome) => outcome,
                    Err(EngineError::Refused(error)) => Outcome::Refused(error),
                    Err(EngineError::Db(error)) => return Err(from_db(error)),
                    Err(EngineError::Malformed(error)) => {
                        return Err(StateError::Corrupt(format!(
                            "{error}; restore this node from a backup, or remove its data and let it join again"
                        )));
                    }
                }
            }
        };
        state.end();
        Ok(Reply { version: state.stamp().version, outcome })
    }
}

/// Errors: the entry asks for a level that this program does not know. Going on would part this replica from the others.
fn check_level(state: &State, index: u64, body: &Body) -> Result<(), StateError> {
    let (Body::Begin { semantics_level: level } | Body::RaiseLevel { level }) = body else { return Ok(()) };
    let supported = state.supported_level();
    if *level > supported {
        return Err(StateError::Unsupported(format!(
            "from entry {index} on the log is judged by level {level}, and this program knows level {supported}"
        )));
    }
    Ok(())
}

/// Errors: this replica has parted from the primary. Nothing of it is answered any more.
fn compare(state: &mut State, noted: Option<Noted>) -> Result<(), StateError> {
    state.compare(noted).map_err(|(primary, own)| {
        let why = format!(
            "after entry {} this node's state is not the primary's (digest {:016x}, the primary's {:016x}): it answers \
             nothing any more. Stop it, remove its data and let it join again; report this as a defect",
            own.index, own.digest, primary.digest
        );
        state.part(why.clone());
        StateError::Corrupt(why)
    })
}

fn run(state: &mut State, command: Command) -> Result<Outcome, EngineError> {
    let Command { clock_millis: _, entropy, body } = command;
    match body {
        Body::Begin { semantics_level } => state.begin_incarnation(entropy as u64, semantics_level),
        Body::Write { basis, request } => {
            let holds = basis.iter().all(|basis| {
                state.table(basis.table).is_some_and(|table| table.generation == basis.generation)
            });
            if !holds {
                return Ok(Outcome::Stale);
            }
            return engine::apply(state, request, entropy).map(Outcome::Done);
        }
        Body::Control { request } => return engine::apply(state, request, entropy).map(Outcome::Done),
        Body::Activate { basis } => maintain::activate(state, basis),
        Body::Remove { table } => maintain::remove(state, table),
        Body::Backfill { table, index, items, bytes } => {
            maintain::backfill(state, table, index, items, bytes)?;
        }
        Body::RemoveIndex { table, index } => maintain::remove_index(state, table, index),
        Body::Purge { id } => maintain::purge(state, id)?,
        Body::ForgetTokens { from_millis, tokens } => token::forget(state, from_millis, tokens)?,
        Body::DefineAttributeList { names, demand } => {
            return state.define_list(names, demand).map(Outcome::Given);
        }
        Body::TakePassingIds => return state.take_passing_ids().map(Outcome::Given),
        Body::RaiseLevel { level } => state.raise_level(level),
        Body::SetParameter { parameter, value } => state.set_parameter(parameter, value),
        // Done before: it may end this replica.
        Body::Compare { noted: _ } => {}
    }
    Ok(Outcome::Noted)
}

impl StateMachine for Applier {
    type Reply = Reply;

    fn mark(&mut self) -> Result<Option<Bytes>, StateError> {
        let log_state = &self.state.applied().log_state;
        Ok((!log_state.is_empty()).then(|| log_state.clone()))
    }

    fn apply(&mut self, batch: ApplyBatch<'_>) -> Result<Vec<Reply>, StateError> {
        let mut replies = Vec::with_capacity(batch.commands.len());
        let already = self.state.applied().version.index;
        let mut last = already;
        for command in batch.commands {
            if command.index <= already {
                // The log's mark lags behind a batch that was committed in parts before a crash.
                replies.push(Reply { version: self.state.stamp().version, outcome: Outcome::Noted });
                continue;
            }
            let decoded = Command::decode(&command.payload);
            let reads_ranges = decoded.as_ref().is_ok_and(|command| command.body.reads_ranges());
            if self.state.pending_bytes() >= BATCH_BYTES || reads_ranges {
                self.state.commit(last, None).map_err(from_db)?;
            }
            replies.push(self.apply_one(command.index, decoded)?);
            last = command.index;
        }
        self.state.commit(batch.applied.max(already), Some(batch.mark.clone())).map_err(from_db)?;
        Ok(replies)
    }

    fn durable(&self) -> Arc<dyn DurableState> {
        Arc::new(Durable { current: Arc::clone(self.state.current()) })
    }

    fn transfer(&self) -> Arc<dyn StateTransfer> {
        let supported_level = self.state.supported_level();
        Arc::new(Transfer {
            current: Arc::clone(self.state.current()),
            home: Arc::clone(&self.home),
            supported_level,
        })
    }

    fn install(&mut self, received: ReceivedState) -> Result<(), StateError> {
        let Some(Received { place, loaded }) = received.into_inner() else {
            return Err(StateError::Corrupt("a state of another kind was to be installed".to_owned()));
        };
        let (now, then) = (self.state.applied().version, loaded.applied().version);
        if then.at_least(&now) == Some(false) {
            let what =
                format!("the state of a peer is of entry {}, and this one of {}", then.index, now.index);
            return Err(StateError::Corrupt(what));
        }
        let db = place.switch().map_err(from_db)?;
        let before = self.state.install(db, loaded);
        // Closing and removing what was before may take long, and the next entry waits. Without a thread it is done here.
        let _ = std::thread::Builder::new().name("state-drop".into()).spawn(move || drop(before));
        Ok(())
    }

    fn close(&mut self) -> Result<(), StateError> {
        self.state.db().close().map_err(from_db)
    }
}

struct Durable {
    current: Arc<CurrentDb>,
}

impl DurableState for Durable {
    fn flush(&self) -> Result<Option<Bytes>, StateError> {
        // Read before the flush, so that what is answered is certainly in what becomes durable.
        let db = self.current.shared();
        let applied = match db.get(&kv::applied::KEY).map_err(from_db)? {
            Some(value) => Applied::decode(&value).map_err(|error| StateError::Corrupt(error.to_string()))?,
            None => Applied::default(),
        };
        db.flush().map_err(from_db)?;
        Ok((!applied.log_state.is_empty()).then_some(applied.log_state))
    }
}

pub(crate) fn from_db(error: DbError) -> StateError {
    match error {
        DbError::Corrupt(_) => StateError::Corrupt(error.to_string()),
        DbError::Full(_)
        | DbError::Sync(_)
        | DbError::Io(_)
        | DbError::Refused(_)
        | DbError::Locked(_)
        | DbError::NeedsDisk
        | DbError::Misused(_) => StateError::Disk(error.to_string()),
    }
}

/// What a caller is told whose command became stale too often.
pub(crate) fn too_stale() -> Error {
    Error::new(
        ErrorKind::InternalServerError,
        "The table changed again and again while the request was under way. Try again",
    )
}
