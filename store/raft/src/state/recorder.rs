//! A state machine for tests: remembers what it applied, durable only when flushed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    ApplyBatch, DurableState, ReceivedState, StateError, StateMachine, StateReader, StateTransfer,
    StateWriter,
};

/// What outlives the node, as a disk would.
#[derive(Clone, Default)]
pub(crate) struct RecorderDisk {
    inner: Arc<Mutex<Inner>>,
    held: Arc<AtomicBool>,
    /// Crashes there were when the handle was made; after another it is a dead process's.
    crashes: usize,
}

#[derive(Clone, Default)]
struct Content {
    applied: Vec<(u64, Bytes)>,
    mark: Option<Bytes>,
}

#[derive(Default)]
struct Inner {
    visible: Content,
    durable: Content,
    batches: usize,
    flushes: usize,
    receiving: usize,
    installed: usize,
    fail: bool,
    fail_flushes: bool,
    crashes: usize,
}

impl RecorderDisk {
    /// Cuts the power: processes that have it open change nothing any more.
    pub(crate) fn crash(&self) {
        self.inner.lock().crashes += 1;
    }

    /// What is visible: index and payload of every command, in order of application.
    pub(crate) fn applied(&self) -> Vec<(u64, Bytes)> {
        self.inner.lock().visible.applied.clone()
    }

    pub(crate) fn batches(&self) -> usize {
        self.inner.lock().batches
    }

    pub(crate) fn flushes(&self) -> usize {
        self.inner.lock().flushes
    }

    /// States whose receiving was begun, and those that were installed.
    pub(crate) fn received(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.receiving, inner.installed)
    }

    /// From now on nothing can be applied.
    pub(crate) fn fail(&self) {
        self.inner.lock().fail = true;
    }

    /// While it is so nothing becomes durable.
    pub(crate) fn fail_flushes(&self, fail: bool) {
        self.inner.lock().fail_flushes = fail;
    }

    /// While it is held nothing is applied: whoever would waits.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// A new process: only what was flushed is there.
    pub(crate) fn open(&self) -> Recorder {
        let mut inner = self.inner.lock();
        inner.visible = inner.durable.clone();
        let crashes = inner.crashes;
        Recorder { disk: RecorderDisk { crashes, ..self.clone() } }
    }
}

pub(crate) struct Recorder {
    disk: RecorderDisk,
}

impl StateMachine for Recorder {
    type Reply = Bytes;

    fn mark(&mut self) -> Result<Option<Bytes>, StateError> {
        Ok(self.disk.inner.lock().visible.mark.clone())
    }

    fn apply(&mut self, batch: ApplyBatch<'_>) -> Result<Vec<Bytes>, StateError> {
        while self.disk.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut inner = self.disk.inner.lock();
        if inner.fail || inner.crashes != self.disk.crashes {
            return Err(StateError::Disk("the test said so".to_owned()));
        }
        inner.batches += 1;
        inner.visible.mark = Some(batch.mark.clone());
        for command in batch.commands {
            inner.visible.applied.push((command.index, command.payload.clone()));
        }
        Ok(batch.commands.iter().map(|command| command.payload.clone()).collect())
    }

    fn durable(&self) -> Arc<dyn DurableState> {
        Arc::new(self.disk.clone())
    }

    fn transfer(&self) -> Arc<dyn StateTransfer> {
        Arc::new(self.disk.clone())
    }

    fn install(&mut self, received: ReceivedState) -> Result<(), StateError> {
        let Some(content) = received.into_inner::<Content>() else {
            return Err(StateError::Corrupt("not a recorder's state".to_owned()));
        };
        let mut inner = self.disk.inner.lock();
        inner.installed += 1;
        inner.durable = content.clone();
        inner.visible = content;
        Ok(())
    }

    fn close(&mut self) -> Result<(), StateError> {
        self.disk.flush().map(|_| ())
    }
}

impl DurableState for RecorderDisk {
    fn flush(&self) -> Result<Option<Bytes>, StateError> {
        let mut inner = self.inner.lock();
        if inner.crashes != self.crashes {
            return Err(StateError::Disk("the power is gone".to_owned()));
        }
        if inner.fail_flushes {
            return Err(StateError::Disk("no room".to_owned()));
        }
        inner.flushes += 1;
        inner.durable = inner.visible.clone();
        Ok(inner.durable.mark.clone())
    }
}

impl StateTransfer for RecorderDisk {
    fn begin_send(&self) -> Result<Box<dyn StateReader>, StateError> {
        let content = self.inner.lock().visible.clone();
        let mark = content.mark.unwrap_or_default();
        Ok(Box::new(Sending { mark, left: content.applied.into() }))
    }

    fn begin_receive(&self) -> Result<Box<dyn StateWriter>, StateError> {
        self.inner.lock().receiving += 1;
        Ok(Box::new(Receiving::default()))
    }
}

struct Sending {
    mark: Bytes,
    left: VecDeque<(u64, Bytes)>,
}

impl StateReader for Sending {
    fn mark(&self) -> Bytes {
        self.mark.clone()
    }

    /// One command.
    fn read(&mut self, _limit_bytes: usize) -> Result<Option<Bytes>, StateError> {
        Ok(self.left.pop_front().map(|(index, payload)| [&index.to_be_bytes()[..], &payload].concat().into()))
    }
}

#[derive(Default)]
struct Receiving {
    content: Content,
}

impl StateWriter for Receiving {
    fn write(&mut self, bytes: Bytes) -> Result<(), StateError> {
        let Some((index, _)) = bytes.split_first_chunk() else {
            return Err(StateError::Corrupt("a part is too short".to_owned()));
        };
        self.content.applied.push((u64::from_be_bytes(*index), bytes.slice(8..)));
        Ok(())
    }

    fn finish(mut self: Box<Self>, mark: Bytes) -> Result<ReceivedState, StateError> {
        self.content.mark = Some(mark);
        Ok(ReceivedState::new(self.content))
    }
}
