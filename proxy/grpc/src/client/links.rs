//! Connections to one endpoint: one for each thread that calls.
//!
//! A connection is driven by the runtime of the thread that made it. Calls of that thread wait for no other, and a busy thread
//! delays nobody else's. Bounded: a connection is kept for [`THREADS`] threads at most; whoever comes past that shares one.

use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use api::Error;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use socket::dial::{self, Dial};
use tokio::time::Instant;

use super::{Endpoint, GrpcDbSettings, error};

/// Most connections.
const THREADS: usize = 64;
/// The pause after a first failure to connect, doubled with each further one.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

pub(super) type Sender = SendRequest<Full<Bytes>>;

/// The connections.
pub(super) struct Links {
    endpoint: Endpoint,
    dial: Arc<dyn Dial>,
    connect_timeout: Duration,
    ping_every: Duration,
    ping_timeout: Duration,
    // Held for a look or an insertion.
    links: Mutex<Vec<(ThreadId, Arc<Link>)>>,
}

/// One of them.
#[derive(Default)]
struct Link {
    // Held for a look and never across an await.
    state: Mutex<State>,
    /// Whoever holds it connects, the others wait.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    sender: Option<Sender>,
    failures: u32,
    not_before: Option<Instant>,
}

/// The endpoint could not be reached a moment ago.
#[derive(Debug, thiserror::Error)]
#[error("connecting failed a moment ago; the next try is after a pause")]
struct Pausing;

impl Links {
    pub(super) fn new(endpoint: Endpoint, dial: Arc<dyn Dial>, settings: &GrpcDbSettings) -> Links {
        Links {
            endpoint,
            dial,
            connect_timeout: Duration::from_millis(settings.connect_timeout_millis),
            ping_every: Duration::from_millis(settings.ping_every_millis),
            ping_timeout: Duration::from_millis(settings.ping_timeout_millis),
            links: Mutex::default(),
        }
    }

    /// A connection to send a call on. Errors: `ServiceUnavailableException`, for nothing was sent.
    pub(super) async fn sender(&self) -> Result<Sender, Error> {
        let link = self.link();
        if let Some(sender) = link.open_sender() {
            return Ok(sender);
        }
        let _alone = link.connecting.lock().await;
        if let Some(sender) = link.open_sender() {
            return Ok(sender);
        }
        if link.state.lock().not_before.is_some_and(|until| Instant::now() < until) {
            return Err(error::not_sent(&Pausing));
        }
        let connected = self.connect().await;
        let mut state = link.state.lock();
        match connected {
            Ok(sender) => {
                *state = State { sender: Some(sender.clone()), failures: 0, not_before: None };
                Ok(sender)
            }
            Err(error) => {
                let pause = PAUSE.saturating_mul(1 << state.failures.min(6)).min(PAUSE_MAX);
                state.failures = state.failures.saturating_add(1);
                state.not_before = Some(Instant::now() + pause);
                Err(error::not_sent(&*error))
            }
        }
    }

    /// Forgets the connection of this thread: its other end takes no more calls.
    pub(super) fn left(&self) {
        self.link().state.lock().sender = None;
    }

    /// The link of this thread.
    fn link(&self) -> Arc<Link> {
        let thread = std::thread::current().id();
        let mut links = self.links.lock();
        if let Some((_, link)) = links.iter().find(|(of, _)| *of == thread) {
            return Arc::clone(link);
        }
        if links.len() >= THREADS {
            // Of threads that have ended, or have not called for long.
            links.retain(|(_, link)| link.open_sender().is_some());
        }
        if links.len() >= THREADS {
            return Arc::clone(&links[0].1);
        }
        let link = Arc::<Link>::default();
        links.push((thread, Arc::clone(&link)));
        link
    }

    async fn connect(&self) -> Result<Sender, Box<dyn std::error::Error + Send + Sync>> {
        let Endpoint { host, port, tls } = &self.endpoint;
        let stream = dial::connect(&*self.dial, host, *port, tls.as_ref(), self.connect_timeout).await?;
        // Says our settings and waits for nobody.
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .keep_alive_interval(self.ping_every)
            .keep_alive_timeout(self.ping_timeout)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        // Ends with the connection, which ends with its last sender.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a gRPC connection broke");
            }
        });
        Ok(sender)
    }
}

impl Link {
    fn open_sender(&self) -> Option<Sender> {
        self.state.lock().sender.as_ref().filter(|sender| !sender.is_closed()).cloned()
    }
}
