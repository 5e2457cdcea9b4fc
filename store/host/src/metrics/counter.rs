//! Counters: numbers that only rise, added to by many threads at about a nanosecond each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::stripe;

/// One stripe, alone on its cache lines (two, because the prefetcher takes them in pairs).
#[repr(align(128))]
#[derive(Default)]
struct Padded(AtomicU64);

/// A count that only rises. Clones share the count; about 4 KiB each.
#[derive(Clone)]
pub struct Counter {
    stripes: Arc<[Padded]>,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Counter").field(&self.value()).finish()
    }
}

impl Counter {
    pub(super) fn new() -> Self {
        Counter { stripes: (0..stripe::ALL).map(|_| Padded::default()).collect() }
    }

    /// Adds one.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `by`.
    #[inline]
    pub fn add(&self, by: u64) {
        let mine = stripe::mine();
        stripe::add(&self.stripes[mine].0, mine, by);
    }

    /// The sum over all threads. Exact for what happened before; what is being added right now may be missing.
    pub fn value(&self) -> u64 {
        self.stripes.iter().fold(0, |sum, stripe| sum.wrapping_add(stripe.0.load(Ordering::Relaxed)))
    }
}

/// Counters of one family, indexed by the position of their label's value.
#[derive(Debug, Clone)]
pub struct CounterSet {
    counters: Arc<[Counter]>,
}

impl CounterSet {
    pub(super) fn new(counters: Vec<Counter>) -> Self {
        CounterSet { counters: counters.into() }
    }

    /// The counter of the value at `index` of the list the set was made with. Panics beyond that list.
    #[inline]
    pub fn get(&self, index: usize) -> &Counter {
        &self.counters[index]
    }

    /// The sum over all values of the label.
    pub fn total(&self) -> u64 {
        self.counters.iter().map(Counter::value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_count_is_lost_between_threads_that_come_and_go() {
        let counter = Counter::new();
        // More threads than stripes, in generations, so that stripes are shared, handed back and taken again.
        for _ in 0..4 {
            let threads: Vec<_> = (0..stripe::OWNED + 16)
                .map(|_| {
                    let counter = counter.clone();
                    std::thread::spawn(move || (0..1_000).for_each(|_| counter.increment()))
                })
                .collect();
            for thread in threads {
                thread.join().expect("no panic");
            }
        }
        assert_eq!(counter.value(), 4 * (stripe::OWNED as u64 + 16) * 1_000);
    }
}
