//! What all connections together hold: requests in progress, and memory for bodies that are not there yet or not gone yet.
//! Past a bound requests are refused, so that overload is answered instead of stored up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shared account. Relaxed throughout: a bound may be overshot by as many requests as there are threads.
#[derive(Debug)]
pub(super) struct Load {
    requests: AtomicUsize,
    max_requests: usize,
    body_bytes: AtomicUsize,
    max_body_bytes: usize,
}

impl Load {
    pub(super) fn new(max_requests: usize, max_body_bytes: usize) -> Load {
        Load { requests: AtomicUsize::new(0), max_requests, body_bytes: AtomicUsize::new(0), max_body_bytes }
    }

    /// Whether a request may begin. Only a load: an answer that is ready at once is never counted, so hits on several
    /// threads share no written cache line.
    pub(super) fn has_room(&self) -> bool {
        self.requests.load(Ordering::Relaxed) < self.max_requests
    }

    /// Counts a request that has to wait, until the guard is dropped.
    pub(super) fn enter(&self) -> Waiting<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Reserves nothing yet; [`BodyBytes::grow`] does.
    pub(super) fn body(self: &Arc<Self>) -> BodyBytes {
        BodyBytes { load: Arc::clone(self), held: 0 }
    }
}

/// A request in progress.
pub(super) struct Waiting<'a>(&'a Load);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Memory that bodies of one connection, or one body, hold of the shared bound. Grown as bytes arrive, so that a large
/// announced length alone holds nothing.
#[derive(Debug)]
pub(super) struct BodyBytes {
    load: Arc<Load>,
    held: usize,
}

impl BodyBytes {
    /// Raises what is held to `bytes`; `false` if the bound does not allow it.
    #[must_use]
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.held);
        if more == 0 {
            return true;
        }
        let before = self.load.body_bytes.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.load.max_body_bytes {
            self.load.body_bytes.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.held += more;
        true
    }

    /// Gives back everything.
    pub(super) fn release(&mut self) {
        if self.held > 0 {
            self.load.body_bytes.fetch_sub(std::mem::take(&mut self.held), Ordering::Relaxed);
        }
    }
}

impl Drop for BodyBytes {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_comes_back() {
        let load = Arc::new(Load::new(1, 100));
        let mut first = load.body();
        assert!(first.grow(60) && first.grow(60) && !load.body().grow(41));
        let mut second = load.body();
        assert!(second.grow(40) && !second.grow(41));
        drop(first);
        assert!(second.grow(100));
        let waiting = load.enter();
        assert!(!load.has_room());
        drop(waiting);
        assert!(load.has_room());
    }
}
