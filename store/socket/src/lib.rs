//! What every front and every client of ours needs of sockets, whatever they speak.
//!
//! [`account`]: what all connections of a front hold together, bounded. [`dial`]: making a connection.
//!
//! It imports nothing of ours and knows no protocol, no acceptor and no certificates.

pub mod account;
pub mod dial;

pub use account::{Account, Held};
