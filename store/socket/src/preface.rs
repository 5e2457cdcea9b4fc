//! How a connection over HTTP/2 begins, read before a library is given it, which would wait for that without end.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep};

use crate::rewound::Rewound;

/// The bytes. Source: RFC 9113, section 3.4.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a peer has.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To begin.
    pub arrival: Duration,
    /// Of that, once the server stops: what is on its way is answered, and whoever says nothing is not waited for.
    pub last: Duration,
}

/// A connection whose peer has begun, or has said something else, which is for the library to refuse.
#[derive(Debug)]
pub struct Begun<IO> {
    /// The connection, nothing of it used up.
    pub io: Rewound<IO>,
    /// Whether the server has begun to stop; what says so is not to be asked again.
    pub parting: bool,
}

/// Waits until the peer has begun. `stop`: that the server stops; none where that was so before. `None`: the peer has gone, or its
/// time is over. Errors: what the socket says.
pub async fn begun<IO: AsyncRead + Unpin>(
    io: Rewound<IO>,
    limits: Limits,
    stop: Option<Pin<&mut impl Future<Output = ()>>>,
) -> io::Result<Option<Begun<IO>>> {
    let Rewound { unread, mut io } = io;
    let mut parting = stop.is_none();
    let mut read = BytesMut::from(unread);
    let mut stopped = pin!(async {
        match stop {
            Some(stop) => stop.await,
            None => std::future::pending().await,
        }
    });
    let mut over = pin!(sleep(if parting { limits.last } else { limits.arrival }));
    while read.len() < PREFACE.len() && PREFACE.starts_with(&read) {
        tokio::select! {
            bytes = io.read_buf(&mut read) => if bytes? == 0 { return Ok(None) },
            () = stopped.as_mut(), if !parting => {
                parting = true;
                let last = Instant::now() + limits.last;
                if last < over.deadline() {
                    over.as_mut().reset(last);
                }
            }
            () = over.as_mut() => return Ok(None),
        }
    }
    Ok(Some(Begun { io: Rewound { unread: read.freeze(), io }, parting }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::oneshot;

    use super::*;

    const LIMITS: Limits = Limits { arrival: Duration::from_secs(10), last: Duration::from_millis(500) };

    /// The connection as it was had back, or not, and how long that took.
    async fn after(
        io: DuplexStream,
        read: &'static [u8],
        stop: impl Future<Output = ()>,
    ) -> (Option<(Vec<u8>, bool)>, Duration) {
        let began = Instant::now();
        let io = Rewound { unread: Bytes::from_static(read), io };
        let begun = begun(io, LIMITS, Some(pin!(stop))).await.unwrap();
        let taken = began.elapsed();
        let Some(Begun { io: Rewound { unread, .. }, parting }) = begun else { return (None, taken) };
        (Some((unread.to_vec(), parting)), taken)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_and_what_comes_is_the_beginning_and_something_else_is_passed_on_at_once() {
        for (read, sent) in [(0, 24), (14, 10), (24, 0), (16, 20)] {
            let all = [PREFACE, b"and what follows"].concat();
            let (mut near, far) = duplex(64);
            near.write_all(&all[read..read + sent]).await.unwrap();
            let (begun, taken) = after(far, &PREFACE[..read], std::future::pending()).await;
            let (unread, parting) = begun.expect("it has begun");
            assert_eq!((unread, parting, taken), (all[..read + sent].to_vec(), false, Duration::ZERO));
        }
        let (mut near, far) = duplex(64);
        near.write_all(b"PRI * HTTP/3").await.unwrap();
        assert_eq!(after(far, b"", std::future::pending()).await.0, Some((b"PRI * HTTP/3".to_vec(), false)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_begins_is_given_up_in_time_and_soon_where_the_server_stops() {
        let (mut near, far) = duplex(64);
        near.write_all(b"PRI").await.unwrap();
        assert_eq!(after(far, b"", std::future::pending()).await, (None, LIMITS.arrival));
        let (_near, far) = duplex(64);
        assert_eq!(after(far, b"", std::future::ready(())).await, (None, LIMITS.last));
        // Its own time goes on meanwhile.
        let (_near, far) = duplex(64);
        let late = sleep(LIMITS.arrival - LIMITS.last / 5);
        assert_eq!(after(far, b"", late).await, (None, LIMITS.arrival));
        let (near, far) = duplex(64);
        drop(near);
        assert_eq!(after(far, b"", std::future::pending()).await, (None, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_on_its_way_when_the_server_stops_is_taken() {
        let (mut near, far) = duplex(64);
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            stop.send(()).unwrap();
            sleep(LIMITS.last / 2).await;
            near.write_all(PREFACE).await.unwrap();
            sleep(LIMITS.arrival).await;
        });
        let (begun, taken) = after(far, b"", async { drop(stopped.await) }).await;
        assert_eq!((begun, taken), (Some((PREFACE.to_vec(), true)), LIMITS.last / 2));
    }
}
