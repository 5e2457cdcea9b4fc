//! Bounded waits.

use std::future::Future;
use std::time::{Duration, Instant};

/// Longest wait for a version that a read asks for.
pub(super) const MIN_VERSION_WAIT: Duration = Duration::from_millis(50);

/// Longest wait of a request that names no deadline.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Waits until the deadline, or for the longest wait there is; `None` where that passed first.
pub(super) async fn within<F: Future>(deadline: Option<Instant>, wait: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), wait).await.ok(),
        None => tokio::time::timeout(LONGEST_WAIT, wait).await.ok(),
    }
}
