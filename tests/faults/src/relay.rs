//! A relay of TCP that delivers late: every byte arrives, in order, and no sooner than its delay after it was sent.
//!
//! It delays streams and not packets, so nothing is lost or sent again for it. The delay may change while it runs; what is
//! under way keeps the delay it left with, but nothing overtakes. A stream holds at most [`HELD`] pieces; then it reads no
//! further, and its sender waits.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::tool::FaultError;

/// Pieces under way in one direction of one stream.
const HELD: usize = 1_024;
/// Largest piece. Unit: bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// The relay. Dropping it takes no more connections; those that are open end with their peers.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    delay: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens on an address (port 0 for any) and passes on to `target`. Both are in the calling thread's namespace.
    pub fn new(listen: SocketAddr, target: SocketAddr, delay: Duration) -> Result<Relay, FaultError> {
        let failed = |why| FaultError::system(format!("listening on {listen}"), why);
        let listener = TcpListener::bind(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let delay = Arc::new(AtomicU64::new(delay.as_nanos() as u64));
        let stopped = Arc::new(AtomicBool::new(false));
        let (of_streams, asked) = (Arc::clone(&delay), Arc::clone(&stopped));
        let accepting = std::thread::spawn(move || {
            for client in listener.incoming() {
                if asked.load(Ordering::Relaxed) {
                    return;
                }
                // A client whose target is not there is hung up on, as it would be without the relay.
                if let Ok(client) = client
                    && let Ok(server) = TcpStream::connect(target)
                {
                    let _ = couple(&client, &server, &of_streams);
                }
            }
        });
        Ok(Relay { address, delay, stopped, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Delays what is sent from now on so much.
    pub fn set(&self, delay: Duration) {
        self.delay.store(delay.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; where nobody can connect it has ended.
        if TcpStream::connect(self.address).is_ok()
            && let Some(accepting) = self.accepting.take()
        {
            let _ = accepting.join();
        }
    }
}

fn couple(client: &TcpStream, server: &TcpStream, delay: &Arc<AtomicU64>) -> io::Result<()> {
    for (from, to) in [(client, server), (server, client)] {
        to.set_nodelay(true)?;
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        let (send, receive) = mpsc::sync_channel::<(Instant, Vec<u8>)>(HELD);
        let delay = Arc::clone(delay);
        std::thread::spawn(move || {
            let mut piece = vec![0; PIECE_BYTES];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                let due = now() + Duration::from_nanos(delay.load(Ordering::Relaxed));
                if send.send((due, piece[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        std::thread::spawn(move || {
            while let Ok((due, piece)) = receive.recv() {
                std::thread::sleep(due.saturating_duration_since(now()));
                if to.write_all(&piece).is_err() {
                    break;
                }
            }
            // Whoever ended is followed once all it had sent has arrived; where the peer is gone there is nothing to shut.
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    reason = "a relay delays in real time, whatever the processes beside it believe"
)]
fn now() -> Instant {
    Instant::now()
}
