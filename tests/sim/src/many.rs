//! Many worlds of several nodes, on all cores.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::group::{Bug, Report, run};

/// A world takes less than a second. One that takes so long stands still: a task asks again and again, and no time passes.
const STANDS_STILL: Duration = Duration::from_secs(120);

/// Runs the worlds of seeds, and hands over what each came to, as they end.
///
/// Panics where one stands still, which can't be ended otherwise, and says which it may be.
pub fn run_each(seeds: Range<u64>, bug: Bug, mut take: impl FnMut(u64, Report)) {
    let next = AtomicU64::new(seeds.start);
    let (report, reports) = mpsc::channel();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let (next, end, report) = (&next, seeds.end, report.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || report.send((seed, run(seed, bug))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(report);
        loop {
            match reports.recv_timeout(STANDS_STILL) {
                Ok((seed, report)) => take(seed, report),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    // A panic would wait for the thread that stands still.
                    let begun = next.load(Ordering::Relaxed);
                    eprintln!(
                        "one of the {cores} seeds before {begun} stands still: no end within {STANDS_STILL:?}"
                    );
                    std::process::exit(1);
                }
            }
        }
    });
}
