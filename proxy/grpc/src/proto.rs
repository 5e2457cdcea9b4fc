//! The messages of `proto/*.proto`, and the names of their services. What is generated is checked in; after a change of a definition
//! `cargo x proto` makes it anew.
//!
//! Items and values are not generated: they are read into the contract's own forms, see [`crate::codec::value`].

#[allow(missing_docs, clippy::all, reason = "generated; the .proto file is the documentation")]
#[rustfmt::skip]
pub mod dynamodb;

#[allow(missing_docs, clippy::all, reason = "generated; the .proto file is the documentation")]
#[rustfmt::skip]
pub mod peer;

/// The service of clients, as in a request's path.
pub const SERVICE: &str = "forebay.dynamodb.v1.DynamoDb";
/// The service of peers.
pub const PEER_SERVICE: &str = "forebay.peer.v1.Peer";

/// What reflection shows: a `google.protobuf.FileDescriptorSet` with the service of clients.
pub const DESCRIPTORS: &[u8] = include_bytes!("proto/dynamodb.bin");
