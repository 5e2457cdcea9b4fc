//! The replicated log on disk.
//!
//! What it is for: entries, the vote and what is known committed, durable before anyone hears of
//! them. [`store`] is the log as the Raft library wants it, [`writer`] the one thread that writes,
//! [`disk`] what both need of a disk, [`memory`] such a disk for tests and simulation, [`open`]
//! (private) what is checked before a log is trusted, [`retention`] (private) what may go, [`members_in_log`] who belongs to the
//! group of a log that nobody has opened, [`recovery`] how such a log becomes that of a group of one.
//!
//! What it deliberately does not do: it never asks whether an entry is applied; the node tells it
//! how far it may purge.
//!
//! Invariants: entries on disk have no hole. An append is called done only after the batch that
//! holds it was synced; after a failed write nothing is written any more. What was written and
//! never synced may be lost by a crash, and was never called done.

pub(crate) mod codec;
pub mod disk;
mod kept;
mod keys;
pub mod memory;
mod open;
pub mod recovery;
pub(crate) mod retention;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use kept::{members_in_log, members_in_mark};
pub(crate) use open::{Surroundings, open};
