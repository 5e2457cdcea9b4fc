//! What the store needs from outside itself: time and chance.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use raft::Clock;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A source of random numbers. They name things; nothing is kept secret by them.
pub trait Entropy: Send + Sync + 'static {
    /// The next number.
    fn draw(&self) -> u128;
}

/// Numbers from the machine.
#[derive(Debug, Default)]
pub struct SystemEntropy {
    keys: (RandomState, RandomState),
    drawn: AtomicU64,
}

impl Entropy for SystemEntropy {
    fn draw(&self) -> u128 {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.keys.0.hash_one(count), self.keys.1.hash_one(count));
        u128::from(high) << 64 | u128::from(low)
    }
}

/// Numbers that a seed decides: the same seed, the same numbers.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededEntropy {
    /// Numbers of a seed.
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy { seed, drawn: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn draw(&self) -> u128 {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        xxh3_128_with_seed(&count.to_be_bytes(), self.seed)
    }
}

/// What the store needs from outside itself. Cloning shares it.
#[derive(Clone)]
pub struct Surroundings {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Surroundings {
    /// The machine's own.
    pub fn system() -> Surroundings {
        Surroundings {
            clock: Arc::new(raft::SystemClock::new()),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }
}
