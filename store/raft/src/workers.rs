//! Who does a node's work: threads, or, in a simulation, tasks.
//!
//! A node has a thread for the Raft library, one for its log, one for its state, and the runtime's for what may block. That is
//! what a disk and a machine with cores want. A simulation wants the opposite: everything of a node on the one runtime it was
//! opened on, in an order that only the runtime's seed decides, each step taking as long as the simulation says. Both run the same
//! loops; only who waits for the next job differs.
//!
//! Invariant: jobs of one queue are done in the order they were given, one at a time.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// The log's disk writes and syncs a batch.
    Log,
    /// The state machine applies a batch.
    Apply,
    /// The state is flushed, or a part of it is read or written for a transfer.
    State,
}

/// How long things take on a node whose work is done by tasks.
pub trait Pace: Send + Sync + 'static {
    /// The time until the next step of this work is done. Other tasks go on meanwhile.
    fn of(&self, work: Work) -> Duration;
}

/// Who does a node's work.
#[derive(Clone)]
pub(crate) enum Workers {
    /// Threads.
    Threads,
    /// Tasks of the runtime that the node is opened on.
    Tasks(Arc<dyn Pace>),
}

/// Where jobs are given.
pub(crate) enum Queue<J> {
    Thread(SyncSender<J>),
    Task(mpsc::Sender<J>),
}

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        match self {
            Queue::Thread(jobs) => Queue::Thread(jobs.clone()),
            Queue::Task(jobs) => Queue::Task(jobs.clone()),
        }
    }
}

impl<J> Queue<J> {
    /// Gives a job. Where very many wait already, a thread is waited for; a task would never get its turn, so there it is an
    /// error, as it is where nobody takes jobs any more.
    pub(crate) fn give(&self, job: J) -> Result<(), NotTaken> {
        match self {
            Queue::Thread(jobs) => jobs.send(job).map_err(|_| NotTaken),
            Queue::Task(jobs) => jobs.try_send(job).map_err(|_| NotTaken),
        }
    }
}

/// A job that nobody will do.
#[derive(Debug)]
pub(crate) struct NotTaken;

/// Whoever works off a queue.
pub(crate) enum Worker {
    Thread(std::thread::JoinHandle<()>),
    Task(tokio::task::JoinHandle<()>),
}

/// How the end of a queue's work is told.
pub(crate) type Tell<T> = Box<dyn FnOnce(T) + Send>;

impl Workers {
    /// Starts a worker. `step` does the first of the jobs that wait, and may take others with it; it is over where it breaks, or
    /// where all givers are gone. `bound`: jobs that may wait.
    pub(crate) fn start<J: Send + 'static>(
        &self,
        name: &str,
        bound: usize,
        work: Work,
        mut step: impl FnMut(J, &mut dyn FnMut() -> Option<J>) -> ControlFlow<()> + Send + 'static,
    ) -> io::Result<(Queue<J>, Worker)> {
        match self {
            Workers::Threads => {
                let (queue, jobs) = sync_channel(bound);
                let run = move || {
                    while let Ok(first) = jobs.recv() {
                        if step(first, &mut || jobs.try_recv().ok()).is_break() {
                            return;
                        }
                    }
                };
                let thread = std::thread::Builder::new().name(name.into()).spawn(run)?;
                Ok((Queue::Thread(queue), Worker::Thread(thread)))
            }
            Workers::Tasks(pace) => {
                let (queue, mut jobs) = mpsc::channel(bound);
                let pace = Arc::clone(pace);
                let task = tokio::spawn(async move {
                    while let Some(first) = jobs.recv().await {
                        tokio::time::sleep(pace.of(work)).await;
                        if step(first, &mut || jobs.try_recv().ok()).is_break() {
                            return;
                        }
                    }
                });
                Ok((Queue::Task(queue), Worker::Task(task)))
            }
        }
    }

    /// Does what may block, beside what must not wait for it. Errors: it panicked.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        match self {
            Workers::Threads => tokio::task::spawn_blocking(work).await.map_err(io::Error::other),
            Workers::Tasks(pace) => {
                tokio::time::sleep(pace.of(Work::State)).await;
                Ok(work())
            }
        }
    }
}

impl Worker {
    /// Gives the last job, and waits until it is done and the worker gone. `None`: it was not done. A thread is waited for
    /// without giving way.
    pub(crate) async fn end<J, T: Send + 'static>(
        self,
        queue: &Queue<J>,
        last: impl FnOnce(Tell<T>) -> J,
    ) -> Option<T> {
        match self {
            Worker::Thread(thread) => {
                let (tell, told) = std::sync::mpsc::channel();
                let given = queue.give(last(Box::new(move |result| {
                    // Whoever ends it waits below, so the receiver is there.
                    let _ = tell.send(result);
                })));
                let result = given.ok().and_then(|()| told.recv().ok());
                thread.join().ok().and(result)
            }
            Worker::Task(task) => {
                let (tell, told) = oneshot::channel();
                let given = queue.give(last(Box::new(move |result| {
                    // As above.
                    let _ = tell.send(result);
                })));
                let result = match given {
                    Ok(()) => told.await.ok(),
                    Err(NotTaken) => None,
                };
                task.await.ok().and(result)
            }
        }
    }
}
