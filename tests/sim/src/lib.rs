//! Nodes in a world that a seed decides: what is asked of them, when their power goes, what their disks forget.
//!
//! There are two kinds of worlds. In [`group`] there are several nodes, and nothing at all is left to chance. In [`world`] there is
//! one, with its threads as it has them in earnest:
//!
//! that node is the shipped one: [`store::Embedded`] over the Raft log with one voter, on the second engine, whose disk keeps
//! apart what was synced and what was only written. What is simulated is the disk, the wall clock and all randomness; the
//! node's own threads are real, and the world asks one thing at a time (or, in half the seeds, several at once).
//!
//! The map: [`group`] and [`world`] the nodes and what happens to them; [`oracle`] the properties that must hold whatever happens;
//! [`ledger`] and [`random`] are those of the kill cycles.

#[cfg(not(tokio_unstable))]
compile_error!(
    "add `--config tests/sim/.cargo/config.toml`, or call cargo in tests/sim: tokio must be told its seed"
);

pub mod group;
#[path = "../../src/ledger.rs"]
pub mod ledger;
pub mod lying;
pub mod many;
pub mod oracle;
#[path = "../../src/random.rs"]
pub mod random;
pub mod world;
