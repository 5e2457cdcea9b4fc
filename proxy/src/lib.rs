//! The cache in front of a DynamoDB-API store, and what the server binary is made of.
//!
//! [`cache`] is the product as a data structure; [`layer`] the decorators around it; [`stack`] their order; [`upstream`]
//! where misses go; [`front`] the protocols it speaks; [`cluster`] a node among others; [`alone`] one that is not; [`parameters`] what is set for all nodes; [`run`] the order of start and stop; [`several`] several nodes in one process; [`operate`] what an operator asks of a cluster; [`recover`] how what one of its nodes has becomes another cluster; [`preflight`] what a start would refuse; [`config`] the settings of it all. Without the feature `rocksdb` only
//! the first three are there, and what a node of a cluster does by itself, for whoever brings an engine and a network of their own: the simulation.

// A connection is one future: the front, every decorator and the store, nested deeper than the compiler looks by default.
#![recursion_limit = "256"]

#[cfg(feature = "rocksdb")]
pub mod alone;
pub mod cache;
pub mod cluster;
#[cfg(feature = "rocksdb")]
pub mod config;
#[cfg(feature = "rocksdb")]
pub mod credentials;
#[cfg(feature = "rocksdb")]
pub mod front;
pub mod layer;
#[cfg(feature = "rocksdb")]
mod open_files;
#[cfg(feature = "rocksdb")]
pub mod operate;
#[cfg(feature = "rocksdb")]
pub mod parameters;
#[cfg(feature = "rocksdb")]
pub mod preflight;
#[cfg(feature = "rocksdb")]
pub mod recover;
#[cfg(feature = "rocksdb")]
pub mod run;
#[cfg(feature = "rocksdb")]
pub mod several;
pub mod stack;
#[cfg(feature = "rocksdb")]
pub mod surroundings;
#[cfg(feature = "rocksdb")]
pub mod upstream;
