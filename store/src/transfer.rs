//! The state on its way to a peer, and a peer's on its way in.
//!
//! Sent is a view of the engine, record by record in order of their keys, while entries are applied and requests answered.
//! Received is an engine of its own, filled record by record, which becomes the state only when it is whole: see
//! [`crate::state::State::install`].
//!
//! A part is any number of records, each as length of key, length of value (u32 each, big-endian), key, value. A record larger
//! than a part is a part by itself.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::{BufMut, Bytes, BytesMut};
use raft::{ReceivedState, StateError, StateReader, StateTransfer, StateWriter};

use crate::apply::from_db;
use crate::db::home::{CurrentDb, NewState, StateHome};
use crate::db::{Batch, Durability, KeyRange, Scan, SharedDb};
use crate::error::OpenError;
use crate::kv;
use crate::kv::applied::Applied;
use crate::state::Loaded;

/// How the state of this store is sent and received.
pub(crate) struct Transfer {
    pub(crate) current: Arc<CurrentDb>,
    pub(crate) home: Arc<dyn StateHome>,
    pub(crate) supported_level: u32,
}

/// A state that was received: whole, readable and durable.
pub(crate) struct Received {
    pub(crate) place: Box<dyn NewState>,
    pub(crate) loaded: Loaded,
}

impl StateTransfer for Transfer {
    fn begin_send(&self) -> Result<Box<dyn StateReader>, StateError> {
        let db = self.current.shared();
        let (ask, asked) = sync_channel(1);
        let (sender, parts) = sync_channel(1);
        // A view borrows its engine, so it stays on the stack of a thread that holds both.
        let thread = std::thread::Builder::new()
            .name("state-send".into())
            .spawn(move || send(&db, &asked, &sender))
            .map_err(|error| StateError::Disk(format!("the sending thread did not start: {error}")))?;
        let mut sending = Sending { mark: Bytes::new(), ask: Some(ask), parts, thread: Some(thread) };
        sending.mark = sending.next()?.ok_or_else(|| StateError::Disk("there is no state yet".to_owned()))?;
        Ok(Box::new(sending))
    }

    fn begin_receive(&self) -> Result<Box<dyn StateWriter>, StateError> {
        let place = self.home.begin().map_err(from_db)?;
        Ok(Box::new(Receiving { place, supported_level: self.supported_level }))
    }
}

type Part = Result<Option<Bytes>, StateError>;

/// Sends the mark, and then a part whenever one is asked for. Ends when nobody asks any more.
fn send(db: &SharedDb, asked: &Receiver<usize>, parts: &SyncSender<Part>) {
    if let Err(error) = read(db, asked, parts) {
        // Whoever is gone need not know.
        let _ = parts.send(Err(error));
    }
}

fn read(db: &SharedDb, asked: &Receiver<usize>, parts: &SyncSender<Part>) -> Result<(), StateError> {
    let snapshot = db.snapshot();
    let applied = snapshot.get(&kv::applied::KEY).map_err(from_db)?;
    let applied = applied.map(|value| Applied::decode(&value)).transpose().map_err(unreadable)?;
    if parts.send(Ok(applied.map(|applied| applied.log_state))).is_err() {
        return Ok(());
    }
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::all()));
    while let Ok(limit_bytes) = asked.recv() {
        let mut part = BytesMut::new();
        while part.len() < limit_bytes.max(1)
            && let Some(record) = cursor.advance().map_err(from_db)?
        {
            for bytes in [record.key, record.value] {
                let length = u32::try_from(bytes.len())
                    .map_err(|_| StateError::Corrupt("a record is larger than there can be".to_owned()))?;
                part.put_u32(length);
            }
            part.put_slice(record.key);
            part.put_slice(record.value);
        }
        if parts.send(Ok((!part.is_empty()).then(|| part.freeze()))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

struct Sending {
    mark: Bytes,
    ask: Option<SyncSender<usize>>,
    parts: Receiver<Part>,
    thread: Option<JoinHandle<()>>,
}

impl Sending {
    fn next(&self) -> Part {
        self.parts.recv().unwrap_or_else(|_| Err(StateError::Disk("the sending thread is gone".to_owned())))
    }
}

impl StateReader for Sending {
    fn mark(&self) -> Bytes {
        self.mark.clone()
    }

    fn read(&mut self, limit_bytes: usize) -> Result<Option<Bytes>, StateError> {
        if let Some(ask) = &self.ask {
            // A thread that is gone has said why, or says so now.
            let _ = ask.send(limit_bytes);
        }
        self.next()
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.ask = None;
        // So that nothing holds the engine any more; the thread is at most in the middle of one part.
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that sent a state panicked");
        }
    }
}

struct Receiving {
    place: Box<dyn NewState>,
    supported_level: u32,
}

impl StateWriter for Receiving {
    fn write(&mut self, mut bytes: Bytes) -> Result<(), StateError> {
        let mut batch = Batch::new();
        while !bytes.is_empty() {
            let Some((lengths, _)) = bytes.split_first_chunk::<8>() else { return Err(cut()) };
            let [k0, k1, k2, k3, v0, v1, v2, v3] = *lengths;
            let key_bytes = u32::from_be_bytes([k0, k1, k2, k3]) as usize;
            let value_bytes = u32::from_be_bytes([v0, v1, v2, v3]) as usize;
            let mut record = bytes.split_off(lengths.len());
            if record.len() < key_bytes.saturating_add(value_bytes) {
                return Err(cut());
            }
            bytes = record.split_off(key_bytes + value_bytes);
            let value = record.split_off(key_bytes);
            batch.put(record, value);
        }
        self.place.db().write(batch, Durability::Buffered).map_err(from_db)
    }

    fn finish(mut self: Box<Self>, mark: Bytes) -> Result<ReceivedState, StateError> {
        let db = Arc::clone(self.place.db());
        let Some(applied) = db.get(&kv::applied::KEY).map_err(from_db)? else {
            return Err(StateError::Corrupt("what was received says not how far it goes".to_owned()));
        };
        let mut applied = Applied::decode(&applied).map_err(unreadable)?;
        applied.log_state = mark;
        let mut batch = Batch::new();
        batch.put(&kv::applied::KEY[..], applied.encode());
        db.write(batch, Durability::Buffered).map_err(from_db)?;
        // Here and not when it is installed: what can't be read is refused, and what there was goes on.
        let loaded = Loaded::read(&db, self.supported_level).map_err(from_open)?;
        db.flush().map_err(from_db)?;
        self.place.seal().map_err(from_db)?;
        Ok(ReceivedState::new(Received { place: self.place, loaded }))
    }
}

fn cut() -> StateError {
    StateError::Corrupt("a part of a state ends in the middle of a record".to_owned())
}

fn unreadable(error: kv::Malformed) -> StateError {
    StateError::Corrupt(error.to_string())
}

fn from_open(error: OpenError) -> StateError {
    match error {
        OpenError::Db(error) => from_db(error),
        OpenError::Format { .. } | OpenError::Level { .. } => StateError::Unsupported(error.to_string()),
        other => StateError::Corrupt(other.to_string()),
    }
}
