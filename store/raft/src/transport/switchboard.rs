//! A network for tests: streams in memory, each direction of which can be blocked, delayed or cut.

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
    /// From, to.
    blocked: HashSet<(String, String)>,
    delay: Duration,
}

/// All nodes' network.
#[derive(Clone)]
pub(crate) struct Switchboard {
    listeners: Arc<Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>>,
    faults: watch::Sender<Faults>,
    /// Bytes after which the stream that carries them breaks, once. By from, to.
    cuts: Arc<Mutex<HashMap<(String, String), usize>>>,
}

impl Switchboard {
    pub(crate) fn new() -> Self {
        let faults = watch::Sender::new(Faults::default());
        Self { listeners: Arc::default(), faults, cuts: Arc::default() }
    }

    /// The network as one node has it. The last one of an address is who is reached.
    pub(crate) fn transport(&self, address: &str) -> Transport {
        let (sender, incoming) = mpsc::channel(16);
        self.listeners.lock().insert(address.to_owned(), sender);
        let incoming = tokio::sync::Mutex::new(incoming);
        Transport { board: self.clone(), address: address.to_owned(), incoming }
    }

    /// Nothing passes in this direction any more, and nothing is lost that is under way.
    pub(crate) fn block(&self, from: &str, to: &str) {
        self.faults.send_modify(|faults| {
            faults.blocked.insert((from.to_owned(), to.to_owned()));
        });
    }

    /// Nothing is blocked any more.
    pub(crate) fn heal(&self) {
        self.faults.send_modify(|faults| faults.blocked.clear());
    }

    /// Everything takes this much longer.
    pub(crate) fn delay(&self, delay: Duration) {
        self.faults.send_modify(|faults| faults.delay = delay);
    }

    /// Breaks the stream that carries the last of so many bytes.
    pub(crate) fn cut_after(&self, from: &str, to: &str, bytes: usize) {
        self.cuts.lock().insert((from.to_owned(), to.to_owned()), bytes);
    }

    pub(crate) fn was_cut(&self, from: &str, to: &str) -> bool {
        !self.cuts.lock().contains_key(&(from.to_owned(), to.to_owned()))
    }

    fn cuts_now(&self, way: &(String, String), bytes: usize) -> bool {
        let mut cuts = self.cuts.lock();
        let Some(left) = cuts.get_mut(way) else { return false };
        *left = left.saturating_sub(bytes);
        *left == 0 && cuts.remove(way).is_some()
    }

    /// Resolves when the direction is open.
    async fn open(&self, way: &(String, String)) -> Duration {
        let mut faults = self.faults.subscribe();
        let open = faults.wait_for(|faults| !faults.blocked.contains(way)).await;
        open.map_or(Duration::ZERO, |faults| faults.delay)
    }

    async fn carry(
        self,
        way: (String, String),
        mut from: ReadHalf<DuplexStream>,
        mut to: WriteHalf<DuplexStream>,
    ) {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let delay = self.open(&way).await;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            if self.cuts_now(&way, count) || to.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
    }
}

pub(crate) struct Transport {
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
