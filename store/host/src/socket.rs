//! A client's socket that counts what passes through it.
//!
//! Counts bytes on the wire, under TLS too, where they are written or read anyway: an addition to a number of the thread's
//! own for each call. Deliberately adds nothing else to the socket it holds.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::metrics::{Counter, Registry, names};

/// Where the bytes of a front are counted. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Traffic {
    read: Counter,
    written: Counter,
}

impl Traffic {
    /// The counts of the front whose label `protocol` is this.
    pub fn of(registry: &Registry, protocol: &'static str) -> Traffic {
        let label = [("protocol", protocol)];
        Traffic {
            read: registry.counter(names::NETWORK_BYTES_IN, &label),
            written: registry.counter(names::NETWORK_BYTES_OUT, &label),
        }
    }
}

/// A socket that counts.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    traffic: Traffic,
}

impl Socket {
    /// Counts into `traffic` what passes through `stream`.
    pub fn new(stream: TcpStream, traffic: Traffic) -> Socket {
        Socket { stream, traffic }
    }

    /// The address of ours that the client connected to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    #[cfg(test)]
    pub(crate) fn as_tcp(&self) -> &TcpStream {
        &self.stream
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.traffic.written.add(bytes as u64);
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        if read.is_ready() {
            self.traffic.read.add((into.filled().len() - before) as u64);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
