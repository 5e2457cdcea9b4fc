//! Time and randomness, as this crate is given them. Whoever runs a process has richer forms of both and adapts them in a few
//! lines.

use std::time::Instant;

/// What a front or a client needs of the world besides its socket.
pub trait Surroundings: Send + Sync + 'static {
    /// Wall clock, for the times of signatures. Unit: milliseconds since 1970-01-01T00:00:00Z. May jump.
    fn wall_millis(&self) -> u64;
    /// Monotonic clock, for deadlines.
    fn monotonic(&self) -> Instant;
    /// Random bits, of which request ids are made: unique, not secret. Asked once per connection.
    fn random(&self) -> u128;
}
