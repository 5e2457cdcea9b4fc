//! Turns among the connections of a thread.

use std::task::Poll;

/// Lets what else is ready on this thread go first. Connections that became readable together then write one right after
/// the other, and a peer that reads several of them is woken once instead of once for each.
pub async fn after_others() {
    let mut waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Polls a future once and tells what came of it.
pub async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
