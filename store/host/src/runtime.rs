//! The threads that connections live on: current-thread runtimes, one per core, and an acceptor that hands each new connection to the
//! one with the fewest.
//!
//! A connection stays on its thread for life, so what serves it need not be `Send`, takes no task hop and keeps its data in one core's
//! cache. One acceptor thread serves all listeners: letting the kernel spread connections over several listening
//! sockets leaves cores idle when clients keep few pooled connections. Only connections live here; whatever may block or compute for
//! long belongs on threads of its own.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::TcpKeepalive;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::sync::mpsc;

use crate::metrics::{Counter, Gauge, Registry, names};
use crate::shutdown::Shutdown;
use crate::socket::{Socket, Traffic};

/// Connections waiting to be picked up by a busy worker, each worker. Full means the acceptor stops accepting for a moment.
pub const HANDOVER_QUEUE: usize = 256;
/// The pause after a failure to accept, such as running out of file descriptors, so that it does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Silence after which the kernel asks whether a peer is still there. Some protocols never close an idle connection, so
/// this is what tells of one whose peer is gone.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How often the kernel asks again.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
/// Questions without an answer after which the connection is given up.
const KEEPALIVE_PROBES: u32 = 4;
/// How often a drain looks whether the last connection has closed.
const DRAIN_POLL: Duration = Duration::from_millis(5);

type Job = Box<dyn FnOnce() + Send>;

struct Worker {
    jobs: mpsc::Sender<Job>,
    open: Arc<AtomicUsize>,
}

/// The worker threads and the acceptor.
pub struct Fronts {
    workers: Arc<[Worker]>,
    max_connections: usize,
    acceptor: Handle,
    registry: Registry,
    shutdown: Shutdown,
    threads: Vec<JoinHandle<()>>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl std::fmt::Debug for Fronts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fronts").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl Fronts {
    /// Starts `workers` threads (at least one) and the acceptor. Of all fronts together `max_connections` may be open; one
    /// more is closed as soon as it is accepted, and counted. Accepting ends when `shutdown` is triggered.
    ///
    /// Errors: the operating system refuses a thread or a runtime.
    pub fn start(
        workers: usize,
        max_connections: usize,
        registry: Registry,
        shutdown: Shutdown,
    ) -> io::Result<Self> {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut threads = Vec::new();
        let mut started = Vec::new();
        for index in 0..workers.max(1) {
            let (jobs, queue) = mpsc::channel(HANDOVER_QUEUE);
            let stopped = stopped.clone();
            let (tell, made) = std::sync::mpsc::channel();
            let thread = std::thread::Builder::new().name(format!("front-{index}")).spawn(move || {
                // Made where it stays: what it runs is not `Send`, and neither is it.
                let made = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
                let (runtime, said) = match made {
                    Ok(runtime) => (Some(runtime), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                // Whoever starts the threads waits for this; if it is gone, there is nothing to serve.
                if let (Ok(()), Some(runtime)) = (tell.send(said), runtime) {
                    runtime.block_on(work(queue, stopped));
                }
            })?;
            made.recv().map_err(|_| io::Error::other("a front's thread ended before it began"))??;
            threads.push(thread);
            started.push(Worker { jobs, open: Arc::new(AtomicUsize::new(0)) });
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let acceptor = runtime.handle().clone();
        threads.push(
            std::thread::Builder::new()
                .name("acceptor".to_owned())
                .spawn(move || runtime.block_on(until_stopped(stopped)))?,
        );
        Ok(Fronts { workers: started.into(), max_connections, acceptor, registry, shutdown, threads, stop })
    }

    /// The number of worker threads.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Connections open now, over all fronts.
    pub fn open_connections(&self) -> usize {
        open_connections(&self.workers)
    }

    /// Serves what arrives at `listener` with `handler`, which is called on the worker's thread for each connection; the connection is
    /// open until its future ends. No delay and keepalive are set on the socket, and its bytes are counted, under `protocol` as the
    /// metrics' label of that name. Returns at once.
    ///
    /// Errors: the listener cannot be made non-blocking or cannot be registered.
    pub fn serve<H, F>(&self, listener: StdListener, protocol: &'static str, handler: H) -> io::Result<()>
    where
        H: Fn(Socket, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        listener.set_nonblocking(true)?;
        let listener = {
            let _entered = self.acceptor.enter();
            TcpListener::from_std(listener)?
        };
        let label = [("protocol", protocol)];
        let front = Front {
            protocol,
            max_connections: self.max_connections,
            open: self.registry.gauge(names::CLIENT_CONNECTIONS, &label),
            refused: self.registry.counter(names::CONNECTIONS_REFUSED, &label),
            failed: self.registry.counter(names::ACCEPT_ERRORS, &label),
            traffic: Traffic::of(&self.registry, protocol),
            workers: self.workers.clone(),
        };
        let shutdown = self.shutdown.clone();
        self.acceptor.spawn(async move {
            loop {
                tokio::select! {
                    () = shutdown.triggered() => break,
                    accepted = listener.accept() => front.take(accepted, handler.clone()).await,
                }
            }
            // Whoever is connected by now may have asked already, and would be told of a reset.
            let waiting = || poll_fn(|cx| Poll::Ready(listener.poll_accept(cx)));
            while let Poll::Ready(Ok(accepted)) = waiting().await {
                front.take(Ok(accepted), handler.clone()).await;
            }
        });
        Ok(())
    }

    /// Starts `task` on worker `index` (modulo their number), where it may hold what is not `Send`. Waits for room in the queue.
    ///
    /// Errors: the worker has stopped.
    pub async fn spawn_on<M, F>(&self, index: usize, task: M) -> Result<(), WorkerGone>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let worker = &self.workers[index % self.workers.len()];
        let job: Job = Box::new(move || {
            tokio::task::spawn_local(task());
        });
        worker.jobs.send(job).await.map_err(|_| WorkerGone)
    }

    /// Waits until all connections have closed or the shutdown's drain is over, then ends the threads and drops what still runs.
    /// To be called once `shutdown` is triggered; before that it waits for it. Answers how many connections were dropped.
    pub async fn drain(mut self) -> usize {
        self.shutdown.triggered().await;
        let idle = async {
            while self.open_connections() > 0 {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        };
        tokio::select! {
            () = idle => {}
            () = self.shutdown.drained() => {}
        }
        let left = self.open_connections();
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // Joining blocks for as long as a connection's code runs without awaiting, which none does for long.
            if thread.join().is_err() {
                tracing::error!("a front's thread panicked; its connections were lost");
            }
        }
        left
    }
}

/// The worker a task was meant for has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the front's thread has stopped; the process is shutting down")]
pub struct WorkerGone;

async fn until_stopped(mut stopped: tokio::sync::watch::Receiver<bool>) {
    // An error means that the fronts are gone without a drain, which stops the threads just as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn work(mut queue: mpsc::Receiver<Job>, stopped: tokio::sync::watch::Receiver<bool>) {
    let jobs = async {
        while let Some(job) = queue.recv().await {
            job();
        }
    };
    tokio::select! {
        () = jobs => {}
        () = until_stopped(stopped) => {}
    }
}

fn open_connections(workers: &[Worker]) -> usize {
    workers.iter().map(|worker| worker.open.load(Ordering::Acquire)).sum()
}

/// One listener with its bounds and counts.
struct Front {
    protocol: &'static str,
    max_connections: usize,
    open: Gauge,
    refused: Counter,
    failed: Counter,
    traffic: Traffic,
    workers: Arc<[Worker]>,
}

impl Front {
    /// Has a connection served, or says why it is not.
    async fn take<H, F>(&self, accepted: io::Result<(TcpStream, SocketAddr)>, handler: H)
    where
        H: Fn(Socket, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                self.failed.increment();
                tracing::warn!(%error, protocol = self.protocol, "cannot accept a connection");
                return tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        };
        // All listeners share this thread, so nothing is accepted between the look and the count.
        if open_connections(&self.workers) >= self.max_connections {
            self.refused.increment();
            return;
        }
        if let Err(error) = self.hand_over(stream, peer, handler).await {
            self.failed.increment();
            tracing::warn!(%error, %peer, protocol = self.protocol, "a new connection was lost");
        }
    }

    async fn hand_over<H, F>(&self, stream: TcpStream, peer: SocketAddr, handler: H) -> io::Result<()>
    where
        H: Fn(Socket, SocketAddr) -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        // Taken off the acceptor's reactor: it must wake on the thread that serves it.
        let stream = stream.into_std()?;
        let worker = self
            .workers
            .iter()
            .min_by_key(|worker| worker.open.load(Ordering::Acquire))
            .expect("there is always one worker");
        // Counted before it is handed over, so that a burst of connections spreads.
        let place = Place::take(&worker.open);
        let hold = self.open.hold();
        let traffic = self.traffic.clone();
        let job: Job = Box::new(move || {
            tokio::task::spawn_local(async move {
                let _held = (place, hold);
                match TcpStream::from_std(stream) {
                    Ok(stream) => handler(Socket::new(stream, traffic), peer).await,
                    Err(error) => tracing::warn!(%error, %peer, "a connection cannot be registered"),
                }
            });
        });
        worker.jobs.send(job).await.map_err(|_| io::Error::other(WorkerGone))
    }
}

/// Has the kernel ask now and then whether the other end is still there.
pub fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive())
}

const fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_PROBES)
}

/// A connection's place in its worker's count, given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Place(open.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::thread::ThreadId;

    use parking::Served;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Where the handler of the tests notes which thread served whom.
    mod parking {
        use std::sync::{Arc, Mutex};
        use std::thread::ThreadId;

        #[derive(Clone, Default)]
        pub(super) struct Served(Arc<Mutex<Vec<ThreadId>>>);

        impl Served {
            pub(super) fn note(&self) {
                self.0.lock().expect("no panic").push(std::thread::current().id());
            }

            pub(super) fn all(&self) -> Vec<ThreadId> {
                self.0.lock().expect("no panic").clone()
            }
        }
    }

    /// An echo of one byte at a time, until the client closes.
    async fn echo(mut stream: Socket) {
        let mut byte = [0];
        while stream.read_exact(&mut byte).await.is_ok() {
            if stream.write_all(&byte).await.is_err() {
                return;
            }
        }
    }

    fn echoing(workers: usize, max_connections: usize) -> (Fronts, SocketAddr, Shutdown, Served, Registry) {
        let registry = Registry::new();
        let shutdown = Shutdown::new(Duration::from_millis(200));
        let fronts =
            Fronts::start(workers, max_connections, registry.clone(), shutdown.clone()).expect("starts");
        let listener = StdListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound");
        let served = Served::default();
        let note = served.clone();
        fronts
            .serve(listener, "test", move |stream, _| {
                note.note();
                // Not Send, to prove that it need not be.
                let local = std::rc::Rc::new(());
                async move {
                    echo(stream).await;
                    drop(local);
                }
            })
            .expect("serves");
        (fronts, address, shutdown, served, registry)
    }

    async fn connected(address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(b"x").await.expect("writes");
        stream.read_exact(&mut [0]).await.expect("echoed");
        stream
    }

    #[tokio::test]
    async fn connections_go_to_the_least_loaded_worker() {
        let (fronts, address, shutdown, served, registry) = echoing(3, 100);
        let mut open = Vec::new();
        for _ in 0..9 {
            open.push(connected(address).await);
        }
        let mut threads: HashMap<ThreadId, usize> = HashMap::new();
        served.all().into_iter().for_each(|thread| *threads.entry(thread).or_default() += 1);
        assert_eq!(threads.into_values().collect::<Vec<_>>(), [3, 3, 3]);
        assert_eq!(fronts.open_connections(), 9);
        let text = registry.prometheus();
        assert!(text.contains("forebay_client_connections{protocol=\"test\"} 9\n"), "{text}");
        drop(open);
        shutdown.trigger();
        assert_eq!(fronts.drain().await, 0);
    }

    #[tokio::test]
    async fn bytes_are_counted_both_ways() {
        let (fronts, address, shutdown, _, registry) = echoing(1, 100);
        let mut open = connected(address).await;
        open.write_all(b"yz").await.expect("writes");
        open.read_exact(&mut [0; 2]).await.expect("echoed");
        drop(open);
        shutdown.trigger();
        assert_eq!(fronts.drain().await, 0);
        // Not before: the peer may have the bytes while the thread that wrote them has yet to count them.
        for family in [names::NETWORK_BYTES_IN, names::NETWORK_BYTES_OUT] {
            assert_eq!(registry.counter(family, &[("protocol", "test")]).value(), 3);
        }
    }

    #[tokio::test]
    async fn a_connection_over_the_bound_is_closed_at_once_and_counted() {
        let (fronts, address, shutdown, _, registry) = echoing(1, 2);
        let open = (connected(address).await, connected(address).await);
        let mut third = TcpStream::connect(address).await.expect("the kernel accepts");
        // A reset and an orderly end both say no.
        assert!(!matches!(third.read(&mut [0]).await, Ok(1..)));
        assert_eq!(registry.counter(names::CONNECTIONS_REFUSED, &[("protocol", "test")]).value(), 1);
        drop(open);
        shutdown.trigger();
        assert_eq!(fronts.drain().await, 0);
    }

    #[tokio::test]
    async fn the_bound_is_one_for_all_fronts_together() {
        let (fronts, address, shutdown, _, registry) = echoing(1, 2);
        let listener = StdListener::bind("127.0.0.1:0").expect("binds");
        let other = listener.local_addr().expect("bound");
        fronts.serve(listener, "other", |stream, _| echo(stream)).expect("serves");
        let open = (connected(address).await, connected(other).await);
        let mut third = TcpStream::connect(other).await.expect("the kernel accepts");
        assert!(!matches!(third.read(&mut [0]).await, Ok(1..)));
        assert_eq!(registry.counter(names::CONNECTIONS_REFUSED, &[("protocol", "other")]).value(), 1);
        drop(open);
        shutdown.trigger();
        assert_eq!(fronts.drain().await, 0);
    }

    #[tokio::test]
    async fn a_served_socket_asks_after_a_silent_peer() {
        let registry = Registry::new();
        let shutdown = Shutdown::new(Duration::from_millis(200));
        let fronts = Fronts::start(1, 1, registry, shutdown.clone()).expect("starts");
        let listener = StdListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound");
        let (tell, mut told) = mpsc::channel(1);
        let handler = move |socket: Socket, _| {
            let tell = tell.clone();
            async move {
                let asks = socket2::SockRef::from(socket.as_tcp()).keepalive();
                tell.send((asks.ok(), socket.local_addr().ok())).await.expect("heard");
            }
        };
        fronts.serve(listener, "test", handler).expect("serves");
        let _open = TcpStream::connect(address).await.expect("connects");
        assert_eq!(told.recv().await, Some((Some(true), Some(address))));
        shutdown.trigger();
        fronts.drain().await;
    }

    #[tokio::test]
    async fn a_drain_stops_accepting_and_drops_what_outlives_it() {
        let (fronts, address, shutdown, _, _) = echoing(2, 100);
        let mut stays = connected(address).await;
        shutdown.trigger();
        stays.write_all(b"y").await.expect("open through the drain");
        stays.read_exact(&mut [0]).await.expect("served through the drain");
        assert_eq!(fronts.drain().await, 1);
        assert!(!matches!(stays.read(&mut [0]).await, Ok(1..)), "dropped after the drain");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn a_task_runs_on_the_worker_asked_for() {
        let (fronts, _, shutdown, _, _) = echoing(2, 1);
        let (tell, mut told) = mpsc::channel(4);
        for index in 0..4 {
            let tell = tell.clone();
            let task = move || async move {
                tell.send((index, std::thread::current().name().map(str::to_owned))).await.expect("heard");
            };
            fronts.spawn_on(index, task).await.expect("running");
        }
        for _ in 0..4 {
            let (index, name) = told.recv().await.expect("four answers");
            assert_eq!(name, Some(format!("front-{}", index % 2)));
        }
        shutdown.trigger();
        fronts.drain().await;
    }
}
