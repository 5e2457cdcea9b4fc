//! The runtime as the Raft library sees it: tokio, with randomness that can be seeded.
//!
//! All the library draws are the times after which elections begin and clocks first tick. It draws them of the thread it runs on,
//! so that is what is seeded; a thread that nobody has seeded draws of the system.

use std::cell::RefCell;
use std::fmt::Debug;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use openraft::impls::TokioRuntime;
use openraft::{AsyncRuntime, OptionalSend};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

thread_local! {
    static DRAWN: RefCell<SmallRng> = RefCell::new(SmallRng::seed_from_u64(RandomState::new().hash_one(0)));
}

/// From here on all that the Raft library draws on this thread follows from `seed`. For simulations, whose nodes share a thread.
pub fn seed_thread(seed: u64) {
    DRAWN.set(SmallRng::seed_from_u64(seed));
}

/// Tokio, but for what is drawn.
#[derive(Debug)]
pub(crate) struct Runtime(TokioRuntime);

type Inner = TokioRuntime;

impl AsyncRuntime for Runtime {
    type JoinError = <Inner as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <Inner as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <Inner as AsyncRuntime>::Sleep;
    type Instant = <Inner as AsyncRuntime>::Instant;
    type TimeoutError = <Inner as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <Inner as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = SmallRng;
    type Mpsc = <Inner as AsyncRuntime>::Mpsc;
    type Watch = <Inner as AsyncRuntime>::Watch;
    type Oneshot = <Inner as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <Inner as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        Inner::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        Inner::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        Inner::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Self::Timeout<R, F> {
        Inner::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Self::Instant,
        future: F,
    ) -> Self::Timeout<R, F> {
        Inner::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        Inner::is_panic(join_error)
    }

    fn thread_rng() -> SmallRng {
        DRAWN.with_borrow_mut(|drawn| SmallRng::seed_from_u64(drawn.next_u64()))
    }

    fn new(threads: usize) -> Self {
        Runtime(Inner::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use openraft::AsyncRuntime;
    use rand::Rng;

    use super::{Runtime, seed_thread};

    #[test]
    fn what_is_drawn_follows_from_the_threads_seed() {
        let draw = || std::iter::repeat_with(|| Runtime::thread_rng().next_u64()).take(4).collect::<Vec<_>>();
        seed_thread(7);
        let first = draw();
        seed_thread(7);
        assert_eq!(draw(), first);
        assert_ne!(draw(), first);
        seed_thread(8);
        assert_ne!(draw(), first);
        let unseeded = || std::thread::spawn(draw_elsewhere).join().unwrap();
        assert_ne!(unseeded(), unseeded());
    }

    fn draw_elsewhere() -> u64 {
        Runtime::thread_rng().next_u64()
    }
}
