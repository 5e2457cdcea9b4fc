//! Histories of client operations, and the judge that says whether the promises held.
//!
//! The map: [`state`] is what stands under a key and what a write makes of it; [`operation`] one operation with its outcome;
//! [`record`] the file that a run writes and this crate reads; [`linear`] whether writes and strong reads have one order (P2,
//! P11); [`session`] what eventual reads may show (P1, P3, P5, P6); [`version`] the order of versions (P11); [`verdict`] all of
//! it together. [`workload`] draws what clients ask, [`player`] asks it of anything that speaks the contract and records it.
//!
//! It knows no network, no node and no clock: whoever runs it brings them. It trusts a history in three
//! things only: all times are of one monotonic clock, every item's tag was written by one write, and clients report
//! what they were told. It never needs to know what the servers did.
//!
//! Invariant: a history in which the promises held is never refused. What can't be decided is said to be undecided.

pub mod linear;
pub mod operation;
pub mod player;
pub mod record;
pub mod session;
pub mod state;
pub mod verdict;
pub mod version;
pub mod workload;

#[cfg(test)]
mod tests;
