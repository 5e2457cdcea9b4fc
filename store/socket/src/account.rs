//! What all connections of a front together hold: requests in progress, and memory for requests that arrive and answers that
//! are not gone yet. Past a bound requests are refused, so that overload is answered instead of stored up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shared account. Relaxed throughout: a bound may be overshot by as many requests as there are threads.
#[derive(Debug)]
pub struct Account {
    requests: AtomicUsize,
    max_requests: usize,
    bytes: AtomicUsize,
    max_bytes: usize,
}

impl Account {
    /// Nothing is held yet.
    pub fn new(max_requests: usize, max_bytes: usize) -> Arc<Account> {
        Arc::new(Account {
            requests: AtomicUsize::new(0),
            max_requests,
            bytes: AtomicUsize::new(0),
            max_bytes,
        })
    }

    /// Whether a request may begin: not where others are past a bound. Only loads: an answer that is ready at once is never counted, so hits on several
    /// threads share no written cache line.
    pub fn has_room(&self) -> bool {
        self.requests.load(Ordering::Relaxed) < self.max_requests && self.held_bytes() <= self.max_bytes
    }

    /// Counts a request that has to wait, until the guard is dropped.
    pub fn enter(&self) -> Waiting<'_> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// What is held of the memory. Unit: bytes.
    pub fn held_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Reserves nothing yet; [`Held::grow`] does.
    pub fn hold(self: &Arc<Self>) -> Held {
        Held { account: Arc::clone(self), bytes: 0 }
    }
}

/// A request in progress.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Account);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Due {
    /// Where there is room for it; else something shorter is said, or nothing: of what can be asked again.
    #[default]
    IfRoom,
    /// In any case: of what may have changed something. Told of an error in its place, or of nothing, a client would have the change
    /// made once more. By how much that goes past the bound is bounded too: past it no request has room to begin.
    Always,
}

/// Memory that a request, or the answers of one connection, hold of the shared bound. Of a request it is grown as bytes arrive,
/// so that a large announced length alone holds nothing.
#[derive(Debug)]
pub struct Held {
    account: Arc<Account>,
    bytes: usize,
}

impl Held {
    /// Raises what is held to `bytes`; `false` if the bound does not allow it.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let before = self.account.bytes.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > self.account.max_bytes {
            self.account.bytes.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }

    /// As [`Held::grow`], for an answer, which is there already; past the bound where it is due whether there is room or not.
    #[must_use]
    pub fn charge(&mut self, bytes: usize, due: Due) -> bool {
        match due {
            Due::IfRoom => self.grow(bytes),
            Due::Always => {
                let more = bytes.saturating_sub(self.bytes);
                self.account.bytes.fetch_add(more, Ordering::Relaxed);
                self.bytes += more;
                true
            }
        }
    }

    /// Gives back everything.
    pub fn release(&mut self) {
        if self.bytes > 0 {
            self.account.bytes.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_comes_back() {
        let account = Account::new(1, 100);
        let mut first = account.hold();
        assert!(first.grow(60) && first.grow(60) && !account.hold().grow(41));
        let mut second = account.hold();
        assert!(second.grow(40) && !second.grow(41));
        drop(first);
        assert!(second.grow(100));
        let waiting = account.enter();
        assert!(!account.has_room());
        drop(waiting);
        assert!(account.has_room());
        second.release();
        assert_eq!(account.held_bytes(), 0);
    }

    #[test]
    fn what_is_due_goes_past_the_bound_and_counts() {
        let account = Account::new(1, 100);
        let mut held = account.hold();
        assert!(!held.charge(101, Due::IfRoom) && held.charge(101, Due::Always));
        assert_eq!(account.held_bytes(), 101);
        assert!(!account.hold().grow(1) && !account.has_room());
        drop(held);
        assert!(account.held_bytes() == 0 && account.has_room());
    }
}
