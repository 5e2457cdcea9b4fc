//! A connection that a library serves and lets go of at its end, and that is not done with by then.
//!
//! Invariant: it comes back as it is, whenever and however the library lets go of it. Costs an allocation for each connection, with
//! room for what comes back, and nothing for a read or a write.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// The connection as the library has it.
#[derive(Debug)]
pub struct Lent<IO> {
    // Taken apart as it is dropped, and never before.
    held: Option<(IO, oneshot::Sender<IO>)>,
}

/// The connection as it comes back.
#[derive(Debug)]
pub struct Owed<IO>(oneshot::Receiver<IO>);

/// Makes a connection one to give away, and what it can be had back by.
pub fn lend<IO>(io: IO) -> (Lent<IO>, Owed<IO>) {
    let (back, owed) = oneshot::channel();
    (Lent { held: Some((io, back)) }, Owed(owed))
}

impl<IO> Owed<IO> {
    /// The connection, where it has been let go of.
    pub fn take(mut self) -> Option<IO> {
        self.0.try_recv().ok()
    }
}

impl<IO: Unpin> Lent<IO> {
    fn io(self: Pin<&mut Self>) -> Pin<&mut IO> {
        let (io, _) = self.get_mut().held.as_mut().expect("it is there until it is dropped");
        Pin::new(io)
    }
}

impl<IO> Drop for Lent<IO> {
    fn drop(&mut self) {
        if let Some((io, back)) = self.held.take() {
            // Where nobody waits for it, it is closed.
            let _ = back.send(io);
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Lent<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, into)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Lent<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.held.as_ref().is_some_and(|(io, _)| io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}

/// What a library makes of a connection, which is told once when the server stops. `stop`: that it does; none where that was so before.
pub async fn until_stopped<C: Future>(
    mut served: Pin<&mut C>,
    mut stop: Option<Pin<&mut impl Future<Output = ()>>>,
    shut_down: impl Fn(Pin<&mut C>),
) -> C::Output {
    let mut stopping = false;
    std::future::poll_fn(|cx| {
        if !stopping && stop.as_mut().is_none_or(|stop| stop.as_mut().poll(cx).is_ready()) {
            stopping = true;
            shut_down(served.as_mut());
        }
        served.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::farewell;

    #[tokio::test]
    async fn what_is_lent_comes_back_once_it_is_let_go_of() {
        let (mut near, far) = duplex(64);
        let (mut lent, owed) = lend(far);
        lent.write_all(b"lent").await.unwrap();
        drop(lent);
        let mut back = owed.take().expect("nobody holds it");
        back.write_all(b"back").await.unwrap();
        let mut got = [0; 8];
        near.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"lentback");
    }

    #[tokio::test]
    async fn what_is_still_held_is_not_waited_for_and_what_nobody_waits_for_is_closed() {
        let (mut near, far) = duplex(64);
        let (lent, owed) = lend(far);
        assert!(owed.take().is_none());
        drop(lent);
        assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn one_that_was_shut_down_while_it_was_lent_is_lingered_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let (mut lent, owed) = lend(far);
        lent.write_all(b"farewell").await.unwrap();
        lent.shutdown().await.unwrap();
        drop(lent);
        near.write_all(b"crosses it").await.unwrap();
        let mut back = owed.take().expect("nobody holds it");
        let lingering = tokio::spawn(async move { farewell::linger(&mut back).await });
        let mut got = Vec::new();
        near.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"farewell");
        // It is read on until the peer goes, too.
        near.write_all(b"and one more").await.unwrap();
        drop(near);
        lingering.await.unwrap();
    }
}
