//! AWS JSON 1.0 over HTTP, both directions, and SigV4.
//!
//! The map: [`codec`] turns requests and answers into JSON and back; [`error`] maps error kinds to status and `__type`;
//! [`server`] serves any `DynamoDb` over HTTP/1.1 and HTTP/2, with or without a socket; [`sigv4`] verifies and makes
//! signatures; [`client`] is a `DynamoDb` whose store is another endpoint.
//!
//! It knows no store and no cache: it imports the contract only. Time and randomness are passed in through
//! [`Surroundings`]; sockets and TLS settings are made elsewhere and handed over.

pub mod client;
pub mod codec;
pub mod error;
pub mod json;
pub mod server;
pub mod sigv4;
pub mod surroundings;

pub use client::{HttpDb, HttpDbSettings};
pub use server::{ConnectionState, HttpServer, HttpSettings};
pub use sigv4::{Auth, Credentials, Keyring};
pub use surroundings::Surroundings;
