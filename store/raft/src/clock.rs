//! Time, passed in.
//!
//! Invariant: nothing else in this crate asks the machine for the time; the Raft library itself
//! takes its timers from the tokio runtime, which a simulation replaces too.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A source of time. Shared by threads.
pub trait Clock: Send + Sync + 'static {
    /// Wall clock. Unit: milliseconds since 1970-01-01 UTC. May jump either way.
    fn now_millis(&self) -> u64;

    /// Time that only goes forward. Unit: milliseconds since some fixed moment in this process.
    fn monotonic_millis(&self) -> u64;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[allow(clippy::disallowed_methods, reason = "the one place where time comes from the machine")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where time comes from the machine")]
    fn now_millis(&self) -> u64 {
        // A wall clock before 1970 reads as 1970.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn monotonic_millis(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
