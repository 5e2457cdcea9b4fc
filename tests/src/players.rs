//! Concurrent clients of real nodes, each operation recorded: what makes the histories that are judged.
//!
//! A client is a thread that asks one node, over HTTP, DAX or gRPC, what its seed says. After an outcome that nobody knows it
//! asks for nothing that writes until the node answers a strong read, so that a node that is away for a second costs one
//! unknown outcome and not a thousand; what the node says meanwhile of its own is asked, for that is when it may be old.
//!
//! Connections are told apart where they are dialled, and an answer is of the connection its bytes came on, so that what is
//! promised of one connection is judged of one. Clients of DAX pick a node from the roster themselves: here every dial goes to
//! the client's own node, whatever was picked. [`crate::outside`] are clients of which neither is known.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use api::{DynamoDb, Version};
use dax::{DaxDb, DaxDbSettings};
use grpc::client::{Endpoint, Lane};
use grpc::{GrpcDb, GrpcDbSettings};
use history::operation::{Action, ELSEWHERE, Found, Mode, Origin, Outcome, Protocol};
use history::player::{INDEX, Recorded, STRANGE, Stage};
use history::record::Recorder;
use history::workload::{Shape, Workload};
use host::clock::{Clock, SystemClock};
use http_front::client::{HttpDb, HttpDbSettings};
use proxy::surroundings::System;
use serde_json::{Value, json};

use crate::dialling::{Pinned, Place};
use crate::outside::{Language, Outside};

/// How long an answer is waited for. A node looks for a primary for longer, so a client gives up on one that is cut off.
const REQUEST_TIMEOUT_MILLIS: u64 = 3_000;
/// How long connecting may take.
const CONNECT_TIMEOUT_MILLIS: u64 = 500;
/// Between two questions whether the node is there again.
const PROBE_PAUSE: Duration = Duration::from_millis(10);
/// A final read that fails is asked again so often.
const FINAL_TRIES: usize = 500;

/// A table, as [`history::player`] wants it.
pub fn table(name: &str) -> Value {
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let string = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    json!({
        "TableName": name, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [string("p"), string("s"), string("g")],
        "KeySchema": [key("p", "HASH"), key("s", "RANGE")],
        "GlobalSecondaryIndexes": [{
            "IndexName": INDEX, "KeySchema": [key("g", "HASH"), key("s", "RANGE")],
            "Projection": {"ProjectionType": "ALL"},
        }],
    })
}

/// A client's clock, and its connection where that is known.
struct Seat {
    clock: Arc<SystemClock>,
    pinned: Option<Arc<Pinned>>,
}

impl Stage for Seat {
    fn now(&self) -> u64 {
        self.clock.monotonic_nanos()
    }

    fn connection(&self) -> Option<u64> {
        self.pinned.as_ref().map(|pinned| pinned.last())
    }
}

/// One client of a run.
#[derive(Debug, Clone)]
pub struct Client {
    /// The node it asks.
    pub node: u32,
    /// How.
    pub protocol: Protocol,
    /// Where.
    pub place: Place,
}

/// How a run is played.
#[derive(Debug, Clone, Copy)]
pub struct Play {
    /// What is asked.
    pub shape: Shape,
    /// Decides it.
    pub seed: u64,
    /// Most operations of a client.
    pub operations_max: u64,
    /// Between an answer and the next operation of a client.
    pub pause: Duration,
}

/// A run under way.
pub struct Players {
    recorder: Arc<Recorder>,
    table: String,
    clock: Arc<SystemClock>,
    numbers: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// The latest version any client was told, as another client's token.
    latest: Arc<Mutex<Option<Version>>>,
    threads: Vec<JoinHandle<Result<u64, String>>>,
    clients: u32,
    play: Play,
}

impl Players {
    /// Begins a record of what is asked of a table.
    pub fn new(record: &Path, table: &str, play: Play) -> Players {
        Players {
            recorder: Arc::new(Recorder::create(record).expect("a new file")),
            table: table.to_owned(),
            clock: Arc::new(SystemClock::new()),
            numbers: Arc::default(),
            stop: Arc::default(),
            latest: Arc::default(),
            threads: Vec::new(),
            clients: 0,
            play,
        }
    }

    /// A client of one node starts to ask.
    pub fn start(&mut self, client: &Client) {
        let (seat, pinned, origin) = self.seat(client);
        let (run, recorder, table) =
            (self.run(origin.protocol), Arc::clone(&self.recorder), self.table.clone());
        self.threads.push(std::thread::spawn(move || {
            let clock = Arc::clone(&seat.clock);
            runtime().block_on(async {
                match origin.protocol {
                    Protocol::Dax => {
                        run.play(Recorded::new(dax(&clock, pinned), table, origin, recorder, seat)).await
                    }
                    Protocol::Grpc => {
                        run.play(Recorded::new(grpc(&clock, pinned), table, origin, recorder, seat)).await
                    }
                    Protocol::Http => {
                        run.play(Recorded::new(http(&clock, pinned), table, origin, recorder, seat)).await
                    }
                }
            })
        }));
    }

    /// A client of another language starts to ask, through its own client of DAX, which chooses among the nodes.
    pub fn start_outside(&mut self, language: Language, seed: &str) {
        self.clients += 1;
        let origin = Origin { client: self.clients, node: ELSEWHERE, protocol: Protocol::Dax };
        let seat = Arc::new(Seat { clock: Arc::clone(&self.clock), pinned: None });
        let outside = Outside::start(language, seed);
        let player = Recorded::new(outside, self.table.clone(), origin, Arc::clone(&self.recorder), seat);
        let run = self.run(Protocol::Dax);
        self.threads.push(std::thread::spawn(move || runtime().block_on(run.play(player))));
    }

    fn run(&self, protocol: Protocol) -> Run {
        Run {
            workload: Workload::new(self.play.seed, self.clients, self.play.shape),
            stop: Arc::clone(&self.stop),
            latest: Arc::clone(&self.latest),
            has_tokens: protocol != Protocol::Dax,
            play: self.play,
        }
    }

    fn seat(&mut self, client: &Client) -> (Arc<Seat>, Arc<Pinned>, Origin) {
        self.clients += 1;
        let pinned = Arc::new(Pinned::new(client.place.clone(), Arc::clone(&self.numbers)));
        let seat = Arc::new(Seat { clock: Arc::clone(&self.clock), pinned: Some(Arc::clone(&pinned)) });
        (seat, pinned, Origin { client: self.clients, node: client.node, protocol: client.protocol })
    }

    /// Stops all clients, then reads every key over HTTP at each of these, strongly and eventually. Answers how often clients
    /// were answered. Errors: what no client may meet.
    pub fn finish(mut self, nodes: &[Client]) -> Result<u64, String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut answered = 0;
        for thread in std::mem::take(&mut self.threads) {
            answered += thread.join().map_err(|_| "a client panicked".to_owned())??;
        }
        for client in nodes {
            let (seat, pinned, origin) = self.seat(client);
            let recorder = Arc::clone(&self.recorder);
            let keys = self.play.shape.all_keys();
            runtime().block_on(async {
                let db = http(&seat.clock, pinned);
                let player = Recorded::new(db, self.table.clone(), origin, recorder, seat);
                for mode in [Mode::Strong, Mode::Eventual] {
                    for key in &keys {
                        read_at_last(&player, Action::Read { keys: vec![key.clone()], mode }).await?;
                    }
                }
                Ok::<(), String>(())
            })?;
        }
        Ok(answered)
    }
}

async fn read_at_last<D: DynamoDb>(player: &Recorded<D>, action: Action) -> Result<(), String> {
    for _ in 0..FINAL_TRIES {
        match player.play(&action, None).await.map_err(|error| error.to_string())? {
            Outcome::Done { .. } => return Ok(()),
            Outcome::Refused | Outcome::Failed(_) | Outcome::Unknown(_) => {
                tokio::time::sleep(PROBE_PAUSE).await
            }
        }
    }
    Err(format!("{action:?} is never answered"))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

fn http(clock: &Arc<SystemClock>, dial: Arc<Pinned>) -> HttpDb {
    let settings = HttpDbSettings {
        max_connections: 1,
        connect_timeout_millis: CONNECT_TIMEOUT_MILLIS,
        request_timeout_millis: REQUEST_TIMEOUT_MILLIS,
        ..HttpDbSettings::new("http://node")
    };
    let system = Arc::new(System::new(Arc::clone(clock)));
    HttpDb::with_dial(settings, None, None, system, dial).expect("good settings")
}

fn dax(clock: &Arc<SystemClock>, dial: Arc<Pinned>) -> DaxDb {
    let settings = DaxDbSettings {
        max_connections: 1,
        connect_timeout_millis: CONNECT_TIMEOUT_MILLIS,
        request_timeout_millis: REQUEST_TIMEOUT_MILLIS,
        // A second try inside the client would make two operations of one.
        retries: 0,
        // Whoever is listed, one node is asked; and a roster asked for meanwhile would blur which connection answered.
        refresh_millis: u64::from(u32::MAX),
        ..DaxDbSettings::new("dax://node:8111")
    };
    let system = Arc::new(System::new(Arc::clone(clock)));
    DaxDb::with_dial(settings, None, None, system, dial).expect("good settings")
}

fn grpc(clock: &Arc<SystemClock>, dial: Arc<Pinned>) -> GrpcDb {
    let settings = GrpcDbSettings {
        connect_timeout_millis: CONNECT_TIMEOUT_MILLIS,
        request_timeout_millis: REQUEST_TIMEOUT_MILLIS,
        ..GrpcDbSettings::default()
    };
    let system = Arc::new(System::new(Arc::clone(clock)));
    let endpoint = Endpoint { host: "node".to_owned(), port: 8500, tls: None };
    GrpcDb::new(endpoint, Lane::Client, settings, dial, system).expect("a good endpoint")
}

/// What a client's thread does.
struct Run {
    workload: Workload,
    stop: Arc<AtomicBool>,
    latest: Arc<Mutex<Option<Version>>>,
    /// Whether a read can say on the wire how late it must be.
    has_tokens: bool,
    play: Play,
}

impl Run {
    /// Asks until it is stopped. Answers how often it was answered; errors: what nobody may be answered, and that it never was.
    async fn play<D: DynamoDb>(mut self, player: Recorded<D>) -> Result<u64, String> {
        let (mut away, mut answered) = (false, 0);
        for _ in 0..self.play.operations_max {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let action = if away { self.workload.probe() } else { self.workload.draw() };
            let token = self.token(&action);
            match player.play(&action, token).await.map_err(|error| error.to_string())? {
                Outcome::Done { version, found } => {
                    answered += 1;
                    away = away && !matches!(action, Action::Read { mode: Mode::Strong, .. });
                    self.learn(version, &found);
                    tokio::time::sleep(self.play.pause).await;
                }
                Outcome::Refused => {}
                Outcome::Unknown(why) if why == STRANGE => return Err(format!("{action:?}: {why}")),
                Outcome::Failed(why)
                    if why.starts_with("ValidationException") || why.starts_with("never sent") =>
                {
                    return Err(format!("{action:?}: {why}"));
                }
                Outcome::Failed(_) | Outcome::Unknown(_) => {
                    away = true;
                    tokio::time::sleep(PROBE_PAUSE).await;
                }
            }
        }
        if answered == 0 { Err("a client was never answered".to_owned()) } else { Ok(answered) }
    }

    fn token(&mut self, action: &Action) -> Option<Version> {
        if !self.has_tokens || matches!(action, Action::Write { .. }) || !self.workload.one_in(6) {
            return None;
        }
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&mut self, version: Option<Version>, found: &Found) {
        if let Some(version) = version {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.is_none_or(|latest| version.at_least(&latest) == Some(true)) {
                *latest = Some(version);
            }
        }
        if let Found::Cells(cells) = found {
            cells.iter().flatten().for_each(|item| self.workload.saw(*item));
        }
    }
}
