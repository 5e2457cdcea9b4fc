//! DynamoDB as a typed gRPC service, both directions.
//!
//! The map: [`proto`] is what `proto/*.proto` say; [`codec`] turns requests and answers into messages and back; [`error`] maps
//! error kinds to status codes and details; [`metadata`] what travels beside a message; [`authorize`] judges signatures;
//! [`server`] serves any `DynamoDb` over a stream of bytes, to clients or to peers, and [`client`] is a `DynamoDb` over one;
//! [`peer`] is what nodes of a group ask each other besides.
//!
//! It knows no store, no cache and no roster: it imports the contract only. Time and randomness are passed in through
//! [`Surroundings`]; sockets and TLS settings are made elsewhere and handed over.

pub mod authorize;
pub mod client;
pub mod codec;
pub mod error;
mod frame;
pub mod metadata;
pub mod peer;
pub mod proto;
pub mod server;
pub mod surroundings;

pub use client::{GrpcDb, GrpcDbSettings};
pub use server::{GrpcServer, GrpcSettings};
pub use surroundings::Surroundings;
