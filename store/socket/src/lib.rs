//! What every front and every client of ours needs of sockets, whatever they speak.
//!
//! [`account`]: what all connections of a front hold together, bounded. [`write`]: bytes that go out within one time limit,
//! charged while they wait. [`unwritten`]: the same of answers that a library writes; [`body`]: of requests that it reads. [`turn`]: letting the other connections
//! of a thread go first. [`spare`]: buffers for those that have something in them. [`farewell`]: ending a connection so that
//! the peer sees the last answer; [`lent`]: one that a library serves up to there; [`preface`]: how it begins, with [`rewound`]. [`dial`]: making one; [`lookup`]: to a name.
//!
//! It imports nothing of ours and knows no protocol, no acceptor and no certificates. Needs a tokio runtime with its timer.

pub mod account;
pub mod body;
pub mod dial;
pub mod farewell;
pub mod lent;
pub mod lookup;
pub mod preface;
pub mod rewound;
pub mod spare;
pub mod turn;
pub mod unwritten;
pub mod write;

pub use account::{Account, Due, Held};
