//! Drives a target: a closed loop on each connection, every answer timed.

use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BenchError;
use crate::keys::Keys;
use crate::scenario::{Load, Scenario};
use crate::target::{self, EchoSizes, Protocol, Target};

/// Longest time any answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes the echo answers with: an HTTP head as Forebay writes it and a body with an item of 500 bytes.
const ECHO_HEAD_BYTES: usize = 190;
/// Items in one batch of the load phase.
const FILL_BATCH: u64 = 25;
/// Connections of the load phase.
const FILL_CONNECTIONS: u64 = 8;

/// What one round of one target came to.
pub(crate) struct Measured {
    /// Answers.
    pub(crate) answers: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// Latency of each answer, nanoseconds.
    pub(crate) latency: Histogram<u64>,
}

struct Connection<'a> {
    target: &'a Target,
    load: &'a Load,
    sizes: EchoSizes,
    stream: TcpStream,
    buffer: Vec<u8>,
}

fn echo_sizes(load: &Load) -> EchoSizes {
    let mut request = Vec::new();
    let http = Target { name: String::new(), protocol: Protocol::Http, address: String::new() };
    http.request(load, 0, &EchoSizes { request: 0, answer: 0 }, &mut request);
    let body = match load.scenario {
        Scenario::GetItem | Scenario::GetItemStrong => {
            target::item(0, load.value_bytes).len() + r#"{"Item":}"#.len()
        }
        Scenario::PutItem => 2,
        Scenario::Query => {
            (target::partition_item(0, load.value_bytes).len() + 1) * target::PARTITION_ITEMS as usize
                + r#"{"Count":10,"Items":[],"ScannedCount":10}"#.len()
        }
    };
    EchoSizes { request: request.len(), answer: ECHO_HEAD_BYTES + body }
}

impl<'a> Connection<'a> {
    async fn open(target: &'a Target, load: &'a Load) -> Result<Connection<'a>, BenchError> {
        let stream = TcpStream::connect(&target.address).await;
        let mut stream =
            stream.map_err(BenchError::io(format!("connecting to {} at {}", target.name, target.address)))?;
        stream.set_nodelay(true).map_err(BenchError::io("setting TCP_NODELAY"))?;
        let sizes = echo_sizes(load);
        if target.protocol == Protocol::Echo {
            let mut hello = (sizes.request as u32).to_le_bytes().to_vec();
            hello.extend_from_slice(&(sizes.answer as u32).to_le_bytes());
            stream.write_all(&hello).await.map_err(BenchError::io("greeting the echo"))?;
        }
        Ok(Connection { target, load, sizes, stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its answer; whether it was a good one.
    async fn exchange(&mut self, request: &[u8]) -> Result<bool, BenchError> {
        let failed = |name: &str| BenchError::io(format!("talking to {name}"));
        self.stream.write_all(request).await.map_err(failed(&self.target.name))?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.map_err(failed(&self.target.name))?;
            if read == 0 {
                return Err(failed(&self.target.name)(std::io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some((_, good)) = self.target.answer_end(&self.buffer, self.load, &self.sizes) {
                return Ok(good);
            }
        }
    }

    fn refused(&self, doing: &str) -> BenchError {
        let answer = String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(400)]).into_owned();
        BenchError::Answer { target: self.target.name.clone(), doing: doing.into(), answer }
    }
}

/// Drives a target for the load's time.
pub(crate) async fn run(target: &Target, load: &Load, round: u64) -> Result<Measured, BenchError> {
    let started = Instant::now();
    let until = started + load.time;
    let lanes = (0..load.connections).map(|lane| async move {
        let mut connection = Connection::open(target, load).await?;
        let mut keys = Keys::new(load.seed ^ (round << 32) ^ ((lane as u64) << 48), load.keys);
        let mut latency = empty_histogram();
        let mut request = Vec::new();
        while Instant::now() < until {
            target.request(load, keys.draw(), &connection.sizes, &mut request);
            let sent = Instant::now();
            let good = tokio::time::timeout(ANSWER_TIMEOUT, connection.exchange(&request)).await;
            let good = good.map_err(|_| {
                BenchError::io("waiting for an answer")(std::io::ErrorKind::TimedOut.into())
            })??;
            if !good {
                return Err(connection.refused(load.scenario.name()));
            }
            latency.saturating_record(sent.elapsed().as_nanos() as u64);
        }
        Ok(latency)
    });
    let mut latency = empty_histogram();
    for lane in join(lanes).await {
        latency.add(lane?).expect("histograms of one shape add up");
    }
    Ok(Measured { answers: latency.len(), time: started.elapsed(), latency })
}

fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(100, 60_000_000_000, 3)
        .expect("the bounds are in order and three digits are allowed")
}

/// Runs all futures on this thread and returns what each came to, in order.
async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    // Each lane has a waker of its own, so that an answer on one does not poll the others.
    let woken = Rc::new(lanes::Woken::new(waiting.len()));
    std::future::poll_fn(|cx| {
        woken.wait_on(cx.waker());
        for lane in woken.take() {
            if let Some(future) = &mut waiting[lane] {
                let waker = woken.waker(lane);
                if let std::task::Poll::Ready(output) =
                    future.as_mut().poll(&mut std::task::Context::from_waker(&waker))
                {
                    done[lane] = Some(output);
                    waiting[lane] = None;
                }
            }
        }
        if waiting.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

mod lanes {
    //! Which lanes have something to do.

    use std::sync::{Arc, Mutex, PoisonError};
    use std::task::{Wake, Waker};

    struct Shared {
        ready: Vec<usize>,
        outer: Option<Waker>,
    }

    struct Lane {
        number: usize,
        shared: Arc<Mutex<Shared>>,
    }

    impl Wake for Lane {
        fn wake(self: Arc<Self>) {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.ready.push(self.number);
            if let Some(outer) = &shared.outer {
                outer.wake_by_ref();
            }
        }
    }

    /// The lanes that were woken since they were last taken.
    pub(super) struct Woken {
        shared: Arc<Mutex<Shared>>,
        wakers: Vec<Waker>,
    }

    impl Woken {
        pub(super) fn new(lanes: usize) -> Woken {
            let shared = Arc::new(Mutex::new(Shared { ready: (0..lanes).collect(), outer: None }));
            let waker = |number| Waker::from(Arc::new(Lane { number, shared: Arc::clone(&shared) }));
            Woken { wakers: (0..lanes).map(waker).collect(), shared }
        }

        pub(super) fn wait_on(&self, outer: &Waker) {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            if !shared.outer.as_ref().is_some_and(|known| known.will_wake(outer)) {
                shared.outer = Some(outer.clone());
            }
        }

        pub(super) fn take(&self) -> Vec<usize> {
            std::mem::take(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).ready)
        }

        pub(super) fn waker(&self, lane: usize) -> Waker {
            self.wakers[lane].clone()
        }
    }
}

/// Makes the tables and writes every item, in batches.
pub(crate) async fn fill(target: &Target, load: &Load) -> Result<(), BenchError> {
    match target.protocol {
        Protocol::Echo => Ok(()),
        Protocol::Redis => {
            let put = Load { scenario: Scenario::PutItem, ..load.clone() };
            let mut connection = Connection::open(target, &put).await?;
            let mut request = Vec::new();
            for key in 0..load.keys {
                target.request(&put, key, &connection.sizes, &mut request);
                if !connection.exchange(&request).await? {
                    return Err(connection.refused("SET"));
                }
            }
            Ok(())
        }
        Protocol::Http => {
            let put = Load { scenario: Scenario::PutItem, ..load.clone() };
            let partitions = load.scenario == Scenario::Query;
            create_table(target, &put, partitions).await?;
            let share = load.keys.div_ceil(FILL_CONNECTIONS);
            let lanes = (0..FILL_CONNECTIONS).map(|lane| {
                let put = &put;
                async move {
                    let mut connection = Connection::open(target, put).await?;
                    let (mut request, end) = (Vec::new(), ((lane + 1) * share).min(put.keys));
                    let mut from = lane * share;
                    while from < end {
                        let to = (from + FILL_BATCH).min(end);
                        batch(from..to, put.value_bytes, partitions, &mut request);
                        if !connection.exchange(&request).await? {
                            return Err(connection.refused("BatchWriteItem"));
                        }
                        from = to;
                    }
                    Ok(())
                }
            });
            join(lanes).await.into_iter().collect()
        }
    }
}

fn batch(keys: std::ops::Range<u64>, value_bytes: usize, partitions: bool, out: &mut Vec<u8>) {
    let (table, item): (_, fn(u64, usize) -> String) =
        if partitions { ("bench-parts", target::partition_item) } else { ("bench", target::item) };
    let puts: Vec<String> =
        keys.map(|key| format!(r#"{{"PutRequest":{{"Item":{}}}}}"#, item(key, value_bytes))).collect();
    out.clear();
    target::http("BatchWriteItem", &format!(r#"{{"RequestItems":{{"{table}":[{}]}}}}"#, puts.join(",")), out);
}

async fn create_table(target: &Target, put: &Load, partitions: bool) -> Result<(), BenchError> {
    let mut connection = Connection::open(target, put).await?;
    let (table, attributes, sort) = if partitions {
        (
            "bench-parts",
            r#",{"AttributeName":"sk","AttributeType":"N"}"#,
            r#",{"AttributeName":"sk","KeyType":"RANGE"}"#,
        )
    } else {
        ("bench", "", "")
    };
    let body = format!(
        r#"{{"TableName":"{table}","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{{"AttributeName":"pk","AttributeType":"S"}}{attributes}],"KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}}{sort}]}}"#
    );
    let mut request = Vec::new();
    target::http("CreateTable", &body, &mut request);
    let made = connection.exchange(&request).await?;
    if !made && !String::from_utf8_lossy(&connection.buffer).contains("ResourceInUseException") {
        return Err(connection.refused("CreateTable"));
    }
    request.clear();
    target::http("DescribeTable", &format!(r#"{{"TableName":"{table}"}}"#), &mut request);
    for _ in 0..200 {
        connection.exchange(&request).await?;
        if String::from_utf8_lossy(&connection.buffer).contains(r#""ACTIVE""#) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(connection.refused("DescribeTable"))
}
