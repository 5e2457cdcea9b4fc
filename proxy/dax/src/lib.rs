//! The DAX wire, both directions: what an official DAX client and a node say to each other.
//!
//! The map: [`cbor`] reads and writes values and finds the ends of frames; [`codec`] turns requests and answers into frames
//! and back; [`error`] maps error kinds to code sequences; [`server`] serves any `DynamoDb` over a stream of bytes, and
//! [`client`] is a `DynamoDb` over a cluster; [`attribute_lists`] is what the wire needs of the registry of attribute names,
//! [`authorize`] of whoever holds secrets.
//!
//! It knows no store and no cache: it imports the contract only. Time and randomness are passed in through [`Surroundings`];
//! sockets and TLS settings are made elsewhere and handed over. The protocol has no framing and no request ids, and clients
//! keep what they learned for as long as they live.

pub mod attribute_lists;
pub mod authorize;
pub mod cbor;
pub mod client;
pub mod codec;
mod connection;
pub mod error;
pub mod server;
pub mod surroundings;

pub use client::{DaxDb, DaxDbSettings};
pub use server::{DaxServer, DaxSettings};
pub use surroundings::Surroundings;
