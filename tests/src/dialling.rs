//! Connections of a client that is held to one node, each with a number.
//!
//! Whatever node a client picks, [`Pinned`] dials the one it was given. It knows which connection the last bytes came on: of a
//! client that asks one thing at a time that is the connection of the last answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use socket::dial::{Dial, Dialing, Stream, Tcp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Where a node's port is, which may be another after a restart.
#[derive(Debug, Clone)]
pub struct Place(Arc<Mutex<SocketAddr>>);

impl Place {
    /// A port that is there.
    pub fn new(address: SocketAddr) -> Place {
        Place(Arc::new(Mutex::new(address)))
    }

    /// The node came back, and listens here.
    pub fn moved(&self, address: SocketAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Where that is now.
    pub fn address(&self) -> SocketAddr {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dials one place whoever is asked for, and numbers the connections.
pub struct Pinned {
    place: Place,
    /// Shared by all clients of a run.
    numbers: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
}

impl Pinned {
    /// To one place. Numbers are drawn from `numbers`.
    pub fn new(place: Place, numbers: Arc<AtomicU64>) -> Pinned {
        Pinned { place, numbers, last: Arc::default() }
    }

    /// The connection that the last bytes came on.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

impl Dial for Pinned {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> Dialing<'a> {
        let address = self.place.address();
        Box::pin(async move {
            let host = address.ip().to_string();
            let stream = Tcp.dial(&host, address.port()).await?;
            let number = 1 + self.numbers.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Numbered { stream, number, last: Arc::clone(&self.last) }) as Box<dyn Stream>)
        })
    }
}

/// A connection that says when it is read from.
struct Numbered {
    stream: Box<dyn Stream>,
    number: u64,
    last: Arc<AtomicU64>,
}

impl AsyncRead for Numbered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        if into.filled().len() > before {
            self.last.store(self.number, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Numbered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
