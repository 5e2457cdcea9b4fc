//! The DAX wire, both directions: what an official DAX client and a node say to each other.
//!
//! The map: [`cbor`] reads and writes values and finds the ends of frames; [`codec`] turns requests and answers into frames
//! and back; [`error`] maps error kinds to code sequences; [`attribute_lists`] is what the wire needs of the registry of
//! attribute names.
//!
//! It knows no store and no cache: it imports the contract only. The protocol has no framing and no request ids, and clients
//! keep what they learned for as long as they live.

pub mod attribute_lists;
pub mod cbor;
pub mod codec;
pub mod error;
