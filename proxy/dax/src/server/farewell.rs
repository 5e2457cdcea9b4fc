//! How a connection that waits for its next request ends when the node stops.
//!
//! Nearly every client notices that a connection in its pool was closed, and takes another. Those for JavaScript do not: they write
//! the next request to it, and that request is never settled, neither well nor badly. (A reset is no better: v2 has no handler
//! for it then, and its process ends.) Closed under a request, the same clients tell the caller and try again. So their
//! connections are closed only once something arrives on them.
//!
//! It need not be the application that sends it. Every five seconds v3 asks a pooled connection for the nodes, and closes what
//! was idle but for the last; v2 connects anew, finds that nobody listens any more, and closes its pool by itself. So a node
//! that waits a little longer than that leaves no dead connection in any pool.
//!
//! Deliberately decides nothing for a process that is killed: its connections are closed by the machine, and as many
//! requests of such a client are lost as it had connections.

use std::io;
use std::time::Duration;

use socket::farewell::{close, linger};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// What the user agents of both clients for JavaScript begin with.
const JAVASCRIPT: &str = "DaxJS";

/// When an idle connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// At once.
    Idle,
    /// Under the request that comes next, for a while; then all the same.
    UnderRequest,
}

impl Farewell {
    /// What suits the client that calls itself so.
    pub(super) fn to(user_agent: Option<&str>) -> Farewell {
        match user_agent {
            Some(agent) if agent.starts_with(JAVASCRIPT) => Farewell::UnderRequest,
            _ => Farewell::Idle,
        }
    }

    /// Ends a connection on which no request is under way. Waits for one no longer than `patience`.
    pub(super) async fn say<IO: AsyncRead + AsyncWrite + Unpin>(
        self,
        mut io: IO,
        patience: Duration,
    ) -> io::Result<()> {
        if self == Farewell::UnderRequest {
            // The beginning of a request, the peer's own end, or nothing: each is reason enough.
            let _ = tokio::time::timeout(patience, io.read(&mut [0; 1])).await;
            linger(&mut io).await;
        } else {
            close(&mut io).await;
        }
        Ok(())
    }
}
