//! Several nodes that are one cluster.
//!
//! One node is the primary: it makes the order of all writes, in the replicated log of `store/raft`. All others are replicas,
//! whose caches and stores follow that log. This is what a node needs besides a store and a log: a way to the others, a number,
//! and a place in the roster. Deliberately routes no request itself: that is a layer's, [`crate::layer::route`].
//!
//! [`settings`]: what a node has to know of its cluster before it starts. [`peers`]: connections between nodes; [`listener`]: the
//! port they arrive at, and the three lanes they are handed to: the log's, requests that are passed on ([`way`]), and [`control`],
//! questions and changes. [`kept`]: whose data a node finds; [`identity`], [`bootstrap`]: how it comes by its number. [`member`]: this node's store as one of
//! several; [`lists`]: attribute lists, which the primary numbers; [`follows`]: catching up with what other nodes know;
//! [`primary`]: what they ask of this one. [`about`], [`roster`]: what nodes say of themselves and what
//! clients are told of it; [`presence`]: which of them are there; [`troubles`]: which could not be reached, and why. [`upkeep`]: what a node does by itself. [`visibility`]: who may
//! answer from memory, where a write waits for all that may. [`node`]: all of this in the order of start and stop.

pub mod about;
#[cfg(feature = "rocksdb")]
pub mod bootstrap;
#[cfg(feature = "rocksdb")]
pub mod control;
#[cfg(feature = "rocksdb")]
pub mod follows;
#[cfg(feature = "rocksdb")]
pub mod identity;
#[cfg(feature = "rocksdb")]
pub mod kept;
#[cfg(feature = "rocksdb")]
pub mod listener;
#[cfg(feature = "rocksdb")]
pub mod lists;
pub mod member;
#[cfg(feature = "rocksdb")]
pub mod node;
#[cfg(feature = "rocksdb")]
pub mod peers;
#[cfg(feature = "rocksdb")]
pub mod presence;
#[cfg(feature = "rocksdb")]
pub mod primary;
#[cfg(feature = "rocksdb")]
pub mod roster;
#[cfg(feature = "rocksdb")]
pub mod settings;
pub mod troubles;
pub mod upkeep;
pub mod visibility;
#[cfg(feature = "rocksdb")]
pub mod way;
