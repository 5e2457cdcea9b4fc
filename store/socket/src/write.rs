//! Bytes on their way out.
//!
//! Invariants: what the peer does not take in at once is charged to the front's account until it is gone, and is given up
//! where that is full, unless it is due in any case; all of it together has one time limit, however many small parts of it
//! the peer takes. What goes out at once is charged nothing and arms no timer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Sleep;

use crate::account::{Due, Held};

/// What became of bytes that were to go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// The peer's side has them all.
    All,
    /// The peer did not take them in time, or too many others don't take theirs; the connection is of no use any more.
    GivenUp,
}

/// Writes `head`, then `body`, and flushes what an encrypted stream may hold back. `charged` holds nothing before, and nothing
/// after.
///
/// Errors: what the socket says.
pub async fn all<IO: AsyncWrite + Unpin>(
    io: &mut IO,
    mut head: &[u8],
    mut body: &[u8],
    charged: &mut Held,
    due: Due,
    limit: Duration,
) -> io::Result<Written> {
    // Made where the peer first makes us wait.
    let mut late: Option<Pin<Box<Sleep>>> = None;
    loop {
        let gone = head.is_empty() && body.is_empty();
        let step = std::future::poll_fn(|cx| {
            let io = Pin::new(&mut *io);
            let step = if gone {
                // A socket has nothing to flush.
                io.poll_flush(cx).map_ok(|()| 0)
            } else if body.is_empty() {
                io.poll_write(cx, head)
            } else {
                io.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
            };
            if let Poll::Ready(step) = step {
                return Poll::Ready(step.map(Some));
            }
            if late.is_none() && !charged.charge(head.len() + body.len(), due) {
                return Poll::Ready(Ok(None));
            }
            let late = late.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            late.as_mut().poll(cx).map(|()| Ok(None))
        })
        .await;
        let bytes = match step {
            Ok(Some(bytes)) if !gone => bytes,
            end => {
                charged.release();
                return end.map(|end| if end.is_some() { Written::All } else { Written::GivenUp });
            }
        };
        if bytes == 0 {
            charged.release();
            return Err(io::ErrorKind::WriteZero.into());
        }
        let of_head = bytes.min(head.len());
        head = &head[of_head..];
        body = &body[bytes - of_head..];
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;
    use crate::account::Account;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn what_goes_out_at_once_is_charged_nothing() {
        let account = Account::new(1, 0);
        let (mut near, mut far) = duplex(64);
        assert_eq!(
            all(&mut far, b"head", b"body", &mut account.hold(), Due::IfRoom, LIMIT).await.unwrap(),
            Written::All
        );
        let mut got = [0; 8];
        near.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"headbody");
    }

    #[tokio::test(start_paused = true)]
    async fn one_limit_holds_however_small_the_parts_that_the_peer_takes() {
        let account = Account::new(1, 1000);
        let (mut near, mut far) = duplex(8);
        let began = tokio::time::Instant::now();
        let sip = async {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                near.read_exact(&mut [0; 4]).await.unwrap();
                assert!(account.held_bytes() > 0);
            }
        };
        let mut held = account.hold();
        let written = tokio::select! {
            () = sip => unreachable!("it never ends"),
            written = all(&mut far, &[1; 50], &[2; 50], &mut held, Due::IfRoom, LIMIT) => written,
        };
        assert_eq!(written.unwrap(), Written::GivenUp);
        assert_eq!((began.elapsed(), account.held_bytes()), (LIMIT, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_account_has_no_room_for_is_given_up_at_once() {
        let account = Account::new(1, 99);
        let (_near, mut far) = duplex(8);
        let began = tokio::time::Instant::now();
        let written = all(&mut far, &[1; 200], b"", &mut account.hold(), Due::IfRoom, LIMIT).await;
        assert_eq!(written.unwrap(), Written::GivenUp);
        assert_eq!((began.elapsed(), account.held_bytes()), (Duration::ZERO, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_waited_for_though_there_is_no_room() {
        let account = Account::new(1, 99);
        let (mut near, mut far) = duplex(8);
        let mut got = [0; 200];
        let mut held = account.hold();
        let (written, read) = tokio::join!(
            all(&mut far, &[1; 200], b"", &mut held, Due::Always, LIMIT),
            near.read_exact(&mut got)
        );
        assert_eq!((written.unwrap(), read.unwrap(), got), (Written::All, 200, [1; 200]));
        assert_eq!(account.held_bytes(), 0);
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error_and_nothing_stays_charged() {
        let account = Account::new(1, 1000);
        let (near, mut far) = duplex(8);
        drop(near);
        assert!(all(&mut far, b"head", b"", &mut account.hold(), Due::IfRoom, LIMIT).await.is_err());
        assert_eq!(account.held_bytes(), 0);
    }
}
