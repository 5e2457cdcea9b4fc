//! Which stripe a thread counts on.
//!
//! A stripe below [`OWNED`] belongs to one living thread at a time, so that thread may add by load and store. The lease is handed
//! back through a lock when the thread ends, which is what makes the next owner see the last value. Threads beyond the number
//! of stripes, and threads that are being torn down, share the stripe [`OWNED`] and must add atomically.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stripes with an owner. More than the cores we expect, so that every front thread has its own.
pub(super) const OWNED: usize = 32;

/// All stripes: the owned ones and the shared one.
pub(super) const ALL: usize = OWNED + 1;

static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static NEXT: Mutex<usize> = Mutex::new(0);

struct Lease(usize);

impl Lease {
    fn take() -> Lease {
        if let Some(back) = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Lease(back);
        }
        let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
        if *next == OWNED {
            return Lease(OWNED);
        }
        *next += 1;
        Lease(*next - 1)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0 < OWNED {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
        }
    }
}

thread_local! {
    static LEASE: Lease = Lease::take();
}

/// The stripe of the calling thread.
#[inline]
pub(super) fn mine() -> usize {
    LEASE.try_with(|lease| lease.0).unwrap_or(OWNED)
}

/// Adds to a cell of stripe `stripe`, which must be [`mine`].
#[inline]
pub(super) fn add(cell: &AtomicU64, stripe: usize, by: u64) {
    if stripe < OWNED {
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    } else {
        cell.fetch_add(by, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn living_threads_never_share_an_owned_stripe() {
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(OWNED + 8));
        let threads: Vec<_> = (0..OWNED + 8)
            .map(|_| {
                let barrier = barrier.clone();
                std::thread::spawn(move || {
                    let stripe = mine();
                    barrier.wait();
                    stripe
                })
            })
            .collect();
        let mut owned: Vec<usize> = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .filter(|stripe| *stripe < OWNED)
            .collect();
        let all = owned.len();
        owned.sort_unstable();
        owned.dedup();
        assert_eq!(owned.len(), all);
    }
}
