//! What all connections together hold: requests in progress, and memory for frames that arrive and answers that wait. Past a bound requests are
//! refused, so that overload is answered instead of stored up.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The shared account. Relaxed throughout: a bound may be overshot by as many requests as there are threads.
#[derive(Debug)]
pub(super) struct Load {
    requests: AtomicUsize,
    max_requests: usize,
    frame_bytes: AtomicUsize,
    max_frame_bytes: usize,
}

impl Load {
    pub(super) const fn new(max_requests: usize, max_frame_bytes: usize) -> Load {
        Load {
            requests: AtomicUsize::new(0),
            max_requests,
            frame_bytes: AtomicUsize::new(0),
            max_frame_bytes,
        }
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

    /// What is held of the memory bound.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.frame_bytes.load(Ordering::Relaxed)
    }

    /// Reserves nothing yet; [`FrameBytes::grow`] does.
    pub(super) const fn frame(&self) -> FrameBytes<'_> {
        FrameBytes { load: self, held: 0 }
    }
}

/// A request in progress.
pub(super) struct Waiting<'a>(&'a Load);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Memory that a frame, or the answers of one connection, hold of the shared bound. Of a frame it is grown as bytes arrive, so
/// that a large announced length alone holds nothing.
pub(super) struct FrameBytes<'a> {
    load: &'a Load,
    held: usize,
}

impl FrameBytes<'_> {
    /// Raises what is held to `bytes`; `false` if the bound does not allow it.
    #[must_use]
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.held);
        if more == 0 {
            return true;
        }
        let before = self.load.frame_bytes.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.load.max_frame_bytes {
            self.load.frame_bytes.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.held += more;
        true
    }

    /// Gives back everything.
    pub(super) fn release(&mut self) {
        if self.held > 0 {
            self.load.frame_bytes.fetch_sub(std::mem::take(&mut self.held), Ordering::Relaxed);
        }
    }
}

impl Drop for FrameBytes<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_comes_back() {
        let load = Load::new(1, 100);
        let mut first = load.frame();
        assert!(first.grow(60) && first.grow(60) && !load.frame().grow(41));
        let mut second = load.frame();
        assert!(second.grow(40) && !second.grow(41));
        drop(first);
        assert!(second.grow(100));
        let waiting = load.enter();
        assert!(!load.has_room());
        drop(waiting);
        assert!(load.has_room());
    }
}
