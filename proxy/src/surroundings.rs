//! The machine's clock and randomness, in the form each room asks for. The only place of the binary that reaches for either.

use std::sync::Arc;
use std::time::Instant;

use host::clock::{Clock, SystemClock};
use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes fetched at a time: each write draws a number, and need not make a system call for it.
const FETCHED_BYTES: usize = 1024;

/// The machine's own.
pub struct System {
    clock: Arc<SystemClock>,
    random: SystemRandom,
    // Held for a copy of 16 bytes, and once in 64 times for a system call.
    fetched: Mutex<Fetched>,
}

/// Random bytes nobody was given yet: the last `left` of them.
struct Fetched {
    bytes: [u8; FETCHED_BYTES],
    left: usize,
}

impl System {
    /// Surroundings on a clock.
    pub fn new(clock: Arc<SystemClock>) -> System {
        let fetched = Mutex::new(Fetched { bytes: [0; FETCHED_BYTES], left: 0 });
        System { clock, random: SystemRandom::new(), fetched }
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<SystemClock> {
        &self.clock
    }

    /// 128 random bits. Panics only where the operating system has no randomness to give, when nothing safe can be done.
    pub fn random_u128(&self) -> u128 {
        let mut fetched = self.fetched.lock();
        let Fetched { bytes, left } = &mut *fetched;
        if *left < size_of::<u128>() {
            self.random.fill(bytes).expect("the operating system gives randomness");
            *left = FETCHED_BYTES;
        }
        let number = bytes[..*left].last_chunk().expect("there are 16 left");
        *left -= size_of::<u128>();
        u128::from_le_bytes(*number)
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

impl grpc::Surroundings for System {
    fn wall_millis(&self) -> u64 {
        self.clock.wall_millis()
    }

    fn monotonic(&self) -> Instant {
        http_front::surroundings::Surroundings::monotonic(self)
    }

    fn random(&self) -> u128 {
        self.random_u128()
    }
}

impl dax::Surroundings for System {
    fn wall_millis(&self) -> u64 {
        self.clock.wall_millis()
    }

    fn monotonic(&self) -> Instant {
        http_front::surroundings::Surroundings::monotonic(self)
    }

    fn random(&self) -> u128 {
        self.random_u128()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_is_given_twice_across_fetches() {
        let system = System::new(Arc::new(SystemClock::new()));
        let draws = 3 * FETCHED_BYTES / size_of::<u128>() + 1;
        let numbers: HashSet<u128> = (0..draws).map(|_| system.random_u128()).collect();
        assert_eq!(numbers.len(), draws);
        assert!(!numbers.contains(&0), "bytes that were never filled");
    }
}
