//! The durable store with DynamoDB semantics, as a library.
//!
//! What it is for: [`Embedded`] is the whole store behind the one trait: it takes requests, puts every write through the
//! replicated log, applies what is committed to the engine, and tells a [`api::ChangeSink`] of every change in order.
//!
//! What it deliberately does not do: it caches no answer, speaks no wire, and reads no clock or random source of its own.
//!
//! The map: [`embedded`] the service; [`command`] what is replicated; [`apply`] how it takes effect; [`engine`] request to
//! handler; [`index`] what a write changes in indexes; [`state`] and [`published`] the state as the applying thread and as
//! readers see it; `transfer` the state on its way to a peer or from one; [`kv`] what stands on disk; [`parameters`] what is set for all nodes; [`db`] the seam to the storage engine;
//! `kept` whom a store on disk belongs to; [`recovery`] how what one member has becomes a group of its own; [`error`] what can go wrong.

pub mod apply;
pub mod attribute_lists;
pub mod command;
pub mod db;
pub mod embedded;
pub mod engine;
pub mod error;
pub mod index;
#[cfg(feature = "rocksdb")]
pub mod kept;
pub mod kv;
pub mod parameters;
pub mod published;
pub mod recovery;
pub mod state;
mod transfer;

pub use embedded::{Embedded, EmbeddedSettings, Surroundings};
pub use error::OpenError;
