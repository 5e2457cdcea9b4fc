//! When the next request of an open loop is due: a clock that wakes a poll, to the microsecond.
//!
//! A poll's own timeout is of whole milliseconds, and to spin would take a core from what is measured.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::BenchError;

/// A timer among the sources of a poll.
pub(crate) struct Timer(OwnedFd);

impl Timer {
    /// A timer that is not set; the poll tells of it by `token`.
    pub(crate) fn new(registry: &Registry, token: Token) -> Result<Timer, BenchError> {
        let doing = || BenchError::io("making a timer");
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
            .map_err(|error| doing()(error.into()))?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE).map_err(doing())?;
        Ok(Timer(timer))
    }

    /// Has the poll wake up once after so long, and not for what was set before.
    pub(crate) fn wake_in(&self, time: Duration) -> Result<(), BenchError> {
        // Zero would mean never.
        let time = time.max(Duration::from_nanos(1));
        let value = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)
            .map(|_| ())
            .map_err(|error| BenchError::io("setting a timer")(error.into()))
    }
}
