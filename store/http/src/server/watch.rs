//! Time limits of what a connection waits to read, at the price of one timer for its whole life.
//!
//! A limit is counted in ticks of a slow timer, so that no request reads a clock or arms a timer. Invariant: a phase ends
//! no sooner than its limit and at most two ticks later.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::settings::HttpSettings;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of its head.
    Head,
    /// The rest of its body.
    Body,
}

/// Ticks to the shortest limit. More make limits sharper and idle connections busier.
const TICKS_PER_LIMIT: u32 = 4;
const TICK_MIN: Duration = Duration::from_millis(5);

pub(super) struct Watch {
    sleep: Option<Pin<Box<Sleep>>>,
    tick: Duration,
    phase: Phase,
    ticks_left: u32,
    limits: [u32; 3],
}

impl Watch {
    pub(super) fn new(settings: &HttpSettings) -> Watch {
        let limits = [settings.idle_timeout(), settings.head_timeout(), settings.body_timeout()];
        let shortest = limits.iter().min().copied().unwrap_or_default();
        let tick = (shortest / TICKS_PER_LIMIT).max(TICK_MIN);
        let ticks = |limit: Duration| {
            u32::try_from(limit.as_nanos().div_ceil(tick.as_nanos())).unwrap_or(u32::MAX).saturating_add(1)
        };
        let limits = limits.map(ticks);
        Watch { sleep: None, tick, phase: Phase::Idle, ticks_left: limits[0], limits }
    }

    /// Begins a phase; going on with the present one does not renew its time.
    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            self.restart(phase);
        }
    }

    /// Begins a phase anew.
    pub(super) fn restart(&mut self, phase: Phase) {
        self.phase = phase;
        self.ticks_left = self.limits[phase as usize];
    }

    /// Ready when the phase has lasted too long.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let tick = self.tick;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(tick)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            self.ticks_left = self.ticks_left.saturating_sub(1);
            if self.ticks_left == 0 {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(Instant::now() + tick);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_phase_ends_no_sooner_than_its_limit_and_soon_after() {
        let settings =
            HttpSettings { head_timeout_millis: 1000, idle_timeout_millis: 400, ..HttpSettings::default() };
        let mut watch = Watch::new(&settings);
        let start = Instant::now();
        tokio::time::sleep(Duration::from_millis(333)).await;
        watch.restart(Phase::Head);
        std::future::poll_fn(|cx| watch.poll_over(cx)).await;
        let lasted = start.elapsed() - Duration::from_millis(333);
        assert!(lasted >= Duration::from_millis(1000) && lasted <= Duration::from_millis(1200), "{lasted:?}");
    }
}
