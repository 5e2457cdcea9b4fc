//! Time and randomness, as this crate is given them. Deliberately small: whoever runs a process has richer forms of both
//! and adapts them in a few lines.

use std::time::Instant;

/// What a front needs of the world besides its socket.
pub trait Surroundings: Send + Sync + 'static {
    /// Wall clock, for the dates of signatures and answers. Unit: milliseconds since 1970-01-01T00:00:00Z. May jump.
    fn wall_millis(&self) -> u64;
    /// Monotonic clock, for deadlines that travel in a request's context.
    fn monotonic(&self) -> Instant;
    /// Random bits, of which request ids are made: unique, not secret. Asked once per connection.
    fn random(&self) -> u128;
}
