//! The messages of `proto/*.proto`, generated at build time, and the names of their services.
//!
//! Items and values are not generated: they are read into the contract's own forms, see [`crate::codec::value`].

#[allow(missing_docs, clippy::all, reason = "generated; the .proto file is the documentation")]
pub mod dynamodb {
    include!(concat!(env!("OUT_DIR"), "/forebay.dynamodb.v1.rs"));
}

#[allow(missing_docs, clippy::all, reason = "generated; the .proto file is the documentation")]
pub mod peer {
    include!(concat!(env!("OUT_DIR"), "/forebay.peer.v1.rs"));
}

/// The service of clients, as in a request's path.
pub const SERVICE: &str = "forebay.dynamodb.v1.DynamoDb";
/// The service of peers.
pub const PEER_SERVICE: &str = "forebay.peer.v1.Peer";

/// What reflection shows: a `google.protobuf.FileDescriptorSet` with the service of clients.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dynamodb.bin"));
