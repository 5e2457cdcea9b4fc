//! A network for tests: streams in memory, each direction of which can be blocked, delayed, cut, or changed on the way.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{mpsc, watch};

use super::{BoxedStream, Dialled, PeerTransport};

/// Bytes that lie in a stream.
const STREAM_BYTES: usize = 64 * 1024;

#[derive(Clone, Default)]
struct Faults {
    blocked: HashSet<Way>,
    delay: Duration,
}

/// All nodes' network, on which nothing goes wrong at first. Cheap to clone: all clones are the same network.
#[derive(Clone, Default)]
pub struct Switchboard {
    listeners: Arc<Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>>,
    faults: watch::Sender<Faults>,
    /// Bytes after which something happens to the stream that carries them, once. By from, to.
    harms: Arc<Mutex<HashMap<Way, (usize, Harm)>>>,
}

/// From, to.
type Way = (String, String);

/// What happens to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Cut,
    Flip,
}

impl Switchboard {
    /// The network as one node has it. The last one of an address is who is reached.
    pub fn transport(&self, address: &str) -> Transport {
        let (sender, incoming) = mpsc::channel(16);
        self.listeners.lock().insert(address.to_owned(), sender);
        let incoming = tokio::sync::Mutex::new(incoming);
        Transport { board: self.clone(), address: address.to_owned(), incoming }
    }

    /// Nobody listens at an address any more: whoever dials it is refused.
    pub fn leave(&self, address: &str) {
        self.listeners.lock().remove(address);
    }

    /// Nothing passes in this direction any more, and nothing is lost that is under way.
    pub fn block(&self, from: &str, to: &str) {
        self.faults.send_modify(|faults| {
            faults.blocked.insert((from.to_owned(), to.to_owned()));
        });
    }

    /// This direction is not blocked any more: what was held passes.
    pub fn unblock(&self, from: &str, to: &str) {
        self.faults.send_modify(|faults| {
            faults.blocked.remove(&(from.to_owned(), to.to_owned()));
        });
    }

    /// Nothing is blocked any more.
    pub fn heal(&self) {
        self.faults.send_modify(|faults| faults.blocked.clear());
    }

    /// Everything takes this much longer.
    pub fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Breaks the stream that carries the last of so many bytes.
    pub fn cut_after(&self, from: &str, to: &str, bytes: usize) {
        self.harms.lock().insert((from.to_owned(), to.to_owned()), (bytes, Harm::Cut));
    }

    /// Flips a bit of the last of so many bytes.
    pub fn flip_after(&self, from: &str, to: &str, bytes: usize) {
        self.harms.lock().insert((from.to_owned(), to.to_owned()), (bytes, Harm::Flip));
    }

    /// Whether a stream was harmed as it was ordered.
    pub fn was_harmed(&self, from: &str, to: &str) -> bool {
        !self.harms.lock().contains_key(&(from.to_owned(), to.to_owned()))
    }

    /// What happens to these bytes.
    fn harm(&self, way: &Way, bytes: usize) -> Option<Harm> {
        let mut harms = self.harms.lock();
        let (left, harm) = harms.get_mut(way)?;
        let harm = *harm;
        *left = left.saturating_sub(bytes);
        if *left > 0 {
            return None;
        }
        harms.remove(way);
        Some(harm)
    }

    /// Resolves when the direction is open.
    async fn open(&self, way: &Way) -> Duration {
        let mut faults = self.faults.subscribe();
        let open = faults.wait_for(|faults| !faults.blocked.contains(way)).await;
        open.map_or(Duration::ZERO, |faults| faults.delay)
    }

    async fn carry(self, way: Way, mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>) {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let delay = self.open(&way).await;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            match self.harm(&way, count) {
                Some(Harm::Cut) => break,
                Some(Harm::Flip) => bytes[count - 1] ^= 1,
                None => {}
            }
            if to.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
    }
}

/// The network as one node has it.
pub struct Transport {
    board: Switchboard,
    address: String,
    incoming: tokio::sync::Mutex<mpsc::Receiver<DuplexStream>>,
}

impl PeerTransport for Transport {
    fn dial(&self, address: &str) -> Dialled<'static> {
        let (board, here, there) = (self.board.clone(), self.address.clone(), address.to_owned());
        Box::pin(async move {
            let (to, back) = ((here.clone(), there.clone()), (there.clone(), here));
            board.open(&to).await;
            board.open(&back).await;
            let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there");
            let listener = board.listeners.lock().get(&there).cloned().ok_or_else(refused)?;
            let (mine, near) = duplex(STREAM_BYTES);
            let (far, theirs) = duplex(STREAM_BYTES);
            listener.send(theirs).await.map_err(|_| refused())?;
            let (near_read, near_write) = split(near);
            let (far_read, far_write) = split(far);
            tokio::spawn(async move {
                // When one direction ends the other does too: the stream is broken.
                tokio::select! {
                    () = board.clone().carry(to, near_read, far_write) => {}
                    () = board.clone().carry(back, far_read, near_write) => {}
                }
            });
            Ok(Box::new(mine) as BoxedStream)
        })
    }

    fn accept(&self) -> Dialled<'_> {
        Box::pin(async move {
            match self.incoming.lock().await.recv().await {
                Some(stream) => Ok(Box::new(stream) as BoxedStream),
                None => std::future::pending().await,
            }
        })
    }
}
