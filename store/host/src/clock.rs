//! Time as a component: passed in, so that tests and the simulation decide what time it is.
//!
//! Nothing here sleeps: waiting is the runtime's affair. Wall time may jump in either direction; monotonic time never runs back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time.
///
/// Both readings are plain integers so that they can be stored, compared and replayed.
pub trait Clock: Send + Sync + 'static {
    /// Wall clock. Unit: milliseconds since 1970-01-01T00:00:00Z. May jump; decides nothing but log times, and whether
    /// signatures and certificates are good.
    fn wall_millis(&self) -> u64;

    /// Monotonic clock. Unit: nanoseconds since an origin of this clock's own choosing. Never runs back.
    fn monotonic_nanos(&self) -> u64;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn wall_millis(&self) -> u64 {
        (**self).wall_millis()
    }

    fn monotonic_nanos(&self) -> u64 {
        (**self).monotonic_nanos()
    }
}

/// The machine's clocks. Monotonic readings start near zero when the value is made.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    pub fn new() -> Self {
        SystemClock { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn wall_millis(&self) -> u64 {
        // A machine set before 1970 reads as zero: log times stand still then, and signatures are refused.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn monotonic_nanos(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }
}

/// A clock that stands still until it is told otherwise. Clones share the time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    inner: Arc<ManualTime>,
}

#[derive(Debug, Default)]
struct ManualTime {
    wall_millis: AtomicU64,
    monotonic_nanos: AtomicU64,
}

impl ManualClock {
    /// A clock that reads `wall_millis` (milliseconds since 1970) and monotonic zero.
    pub fn at(wall_millis: u64) -> Self {
        let clock = ManualClock::default();
        clock.inner.wall_millis.store(wall_millis, Ordering::SeqCst);
        clock
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        self.inner.wall_millis.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
        self.inner.monotonic_nanos.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, backwards too, as an operator or a time server may.
    pub fn jump_wall(&self, wall_millis: u64) {
        self.inner.wall_millis.store(wall_millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall_millis(&self) -> u64 {
        self.inner.wall_millis.load(Ordering::SeqCst)
    }

    fn monotonic_nanos(&self) -> u64 {
        self.inner.monotonic_nanos.load(Ordering::SeqCst)
    }
}

/// A clock for the hot path: two loads instead of two reads of the machine's clock, at the price of being up to one tick old.
///
/// Somebody must call [`CoarseClock::tick`] (or spawn [`CoarseClock::run`]); until the first tick it reads what the clock
/// beneath it read when it was made. Clones share the reading.
#[derive(Clone)]
pub struct CoarseClock {
    fine: Arc<dyn Clock>,
    reading: Arc<Reading>,
}

struct Reading {
    wall_millis: AtomicU64,
    monotonic_nanos: AtomicU64,
}

impl CoarseClock {
    /// The tick the node uses: fine enough for TTLs and ages in milliseconds, and 200 wake-ups a second cost nothing seen.
    pub const TICK: Duration = Duration::from_millis(5);

    /// A coarse view of `fine`, read once now.
    pub fn over(fine: Arc<dyn Clock>) -> Self {
        let reading = Arc::new(Reading {
            wall_millis: AtomicU64::new(fine.wall_millis()),
            monotonic_nanos: AtomicU64::new(fine.monotonic_nanos()),
        });
        CoarseClock { fine, reading }
    }

    /// Reads the clock beneath and publishes it.
    pub fn tick(&self) {
        self.reading.wall_millis.store(self.fine.wall_millis(), Ordering::Relaxed);
        // Two tickers may race; the larger reading stands, so that time never runs back.
        self.reading.monotonic_nanos.fetch_max(self.fine.monotonic_nanos(), Ordering::Relaxed);
    }

    /// Ticks for ever. Spawn it on a runtime with time enabled and drop the task to stop it.
    pub async fn run(self, every: Duration) {
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            interval.tick().await;
            self.tick();
        }
    }
}

impl std::fmt::Debug for CoarseClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoarseClock").field("wall_millis", &self.wall_millis()).finish_non_exhaustive()
    }
}

impl Clock for CoarseClock {
    fn wall_millis(&self) -> u64 {
        self.reading.wall_millis.load(Ordering::Relaxed)
    }

    fn monotonic_nanos(&self) -> u64 {
        self.reading.monotonic_nanos.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_is_past_2020_and_its_monotonic_reading_rises() {
        let clock = SystemClock::new();
        let first = clock.monotonic_nanos();
        assert!(clock.wall_millis() > 1_577_836_800_000);
        assert!(clock.monotonic_nanos() >= first);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_its_wall_may_jump_back() {
        let clock = ManualClock::at(1_000);
        let shared = clock.clone();
        clock.advance(Duration::from_millis(250));
        assert_eq!((shared.wall_millis(), shared.monotonic_nanos()), (1_250, 250_000_000));
        clock.jump_wall(10);
        assert_eq!((shared.wall_millis(), shared.monotonic_nanos()), (10, 250_000_000));
    }

    #[test]
    fn a_coarse_clock_stands_between_ticks_and_never_runs_back() {
        let fine = ManualClock::at(5);
        let coarse = CoarseClock::over(Arc::new(fine.clone()));
        fine.advance(Duration::from_millis(7));
        assert_eq!(coarse.wall_millis(), 5);
        coarse.tick();
        assert_eq!((coarse.wall_millis(), coarse.monotonic_nanos()), (12, 7_000_000));
    }

    #[tokio::test]
    async fn a_running_coarse_clock_follows_the_one_beneath_it() {
        let fine = ManualClock::at(0);
        let coarse = CoarseClock::over(Arc::new(fine.clone()));
        let ticker = tokio::spawn(coarse.clone().run(Duration::from_millis(1)));
        fine.advance(Duration::from_secs(3));
        for _ in 0..1_000 {
            if coarse.wall_millis() == 3_000 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(coarse.wall_millis(), 3_000);
        ticker.abort();
    }
}
