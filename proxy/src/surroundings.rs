//! The machine's clock and randomness, in the form each room asks for. The only place of the binary that reaches for either.

use std::sync::Arc;
use std::time::Instant;

use host::clock::{Clock, SystemClock};
use ring::rand::{SecureRandom, SystemRandom};

/// The machine's own.
pub struct System {
    clock: Arc<SystemClock>,
    random: SystemRandom,
}

impl System {
    /// Surroundings on a clock.
    pub fn new(clock: Arc<SystemClock>) -> System {
        System { clock, random: SystemRandom::new() }
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<SystemClock> {
        &self.clock
    }

    /// 128 random bits. Panics only where the operating system has no randomness to give, when nothing safe can be done.
    pub fn random_u128(&self) -> u128 {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).expect("the operating system gives randomness");
        u128::from_le_bytes(bytes)
    }

    /// 64 random bits; see [`System::random_u128`].
    pub fn random_u64(&self) -> u64 {
        self.random_u128() as u64
    }
}

impl http_front::surroundings::Surroundings for System {
    fn wall_millis(&self) -> u64 {
        self.clock.wall_millis()
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "this is the binary's one monotonic clock, handed to all who need it"
    )]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn random(&self) -> u128 {
        self.random_u128()
    }
}
