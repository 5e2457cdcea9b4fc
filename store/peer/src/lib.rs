//! Who may speak as a node of the cluster.
//!
//! [`handshake`]: what two nodes say to each other before anything else passes between them; [`secret`]: what they both know.
//!
//! It imports nothing of ours, knows no port, no certificate and nothing of what is said after the handshake. It works over any
//! stream of bytes, so that it stands inside TLS where there is any, and in a simulation's network. Deliberately encrypts
//! nothing: it says who is there when a connection begins. Against whoever can change bytes on the way only TLS helps.

pub mod handshake;
pub mod secret;

pub use handshake::{Lane, Refusal, accept, accept_where, dial};
pub use secret::{BadSecret, Membership};
