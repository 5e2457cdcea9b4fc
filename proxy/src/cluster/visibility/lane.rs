//! What passes between a node and its primary about leases: eight bytes at a time.
//!
//! The node says its number once, and then how far it has applied the log, each time it has come further and often enough
//! besides. Each of these is answered with how long it may answer from memory, counted from when it asked. Unit: nanoseconds;
//! nothing where it may not. All numbers have their high byte first. Whoever is not the primary, or does not know the node any
//! more, closes the connection.

use std::io;

use raft::BoxedStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Reads a number.
pub async fn read(stream: &mut BoxedStream) -> io::Result<u64> {
    stream.read_u64().await
}

/// Writes a number, which leaves at once.
pub async fn write(stream: &mut BoxedStream, number: u64) -> io::Result<()> {
    stream.write_all(&number.to_be_bytes()).await?;
    stream.flush().await
}
