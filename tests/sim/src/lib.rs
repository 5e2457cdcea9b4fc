//! One node in a world that a seed decides: what is asked of it, when its power goes, what its disk forgets.
//!
//! The node is the shipped one: [`store::Embedded`] over the Raft log with one voter, on the second engine, whose disk keeps
//! apart what was synced and what was only written. What is simulated is the disk, the wall clock and all randomness; the
//! node's own threads are real, and the world asks one thing at a time (or, in half the seeds, several at once).
//!
//! The map: [`world`] the node and what happens to it; [`oracle`] a file for each property that must hold whatever happens;
//! [`ledger`] and [`random`] are those of the kill cycles.

#[path = "../../src/ledger.rs"]
pub mod ledger;
pub mod oracle;
#[path = "../../src/random.rs"]
pub mod random;
pub mod unsynced;
pub mod world;
