//! A node and what happens to it, as a seed decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::{Context, DynamoDb, ErrorKind, OpKind};
use futures_util::future::{join, join_all};
use raft::{Clock, RaftSettings};
use serde_json::{Value, json};
use store::db::SharedDb;
use store::db::memory::{CrashTail, Fault, MemoryDisk, WriteAheadLog};
use store::embedded::{SeededEntropy, Surroundings};
use store::{Embedded, EmbeddedSettings};

use crate::ledger::{Ledger, Mark, Outcome};
use crate::lying::{Lie, Lying};
use crate::oracle::cache::{Caches, Stamps, Watched};
use crate::oracle::feed::Feed;
use crate::oracle::index;
use crate::random::Random;

const TABLE: &str = "sim";
/// Keys that are written to.
const KEYS: u64 = 16;
/// Lives of a node in one run; each but the last ends badly.
const LIVES: usize = 4;
/// Most requests of one life.
const REQUESTS_MAX: u64 = 24;
/// Requests at once, in a world that asks several.
const AT_ONCE_MAX: u64 = 6;
/// Milliseconds since the epoch where every world begins.
const BEGINNING_MILLIS: u64 = 1_700_000_000_000;
/// Reads through the caches for each request or requests at once.
const READS: usize = 6;
/// Pages of a scan at most.
const PAGES_MAX: usize = 1000;
/// Looks whether a table is usable.
const LOOKS_MAX: usize = 20_000;

/// How long a disk must do nothing to be at rest.
const REST: std::time::Duration = std::time::Duration::from_millis(3);

/// How a world is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// A disk that keeps what was synced.
    Honest,
    /// The planted bug: the log's engine says it has synced, and has not.
    NeverSynced,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What was asked and what came of it, line by line; the same for the same seed where requests go one at a time.
    pub history: Vec<String>,
    /// What was wrong.
    pub faults: Vec<String>,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Changes that the feed told.
    pub told: u64,
    /// Reads that the caches answered from memory.
    pub hits: u64,
}

/// Whether the world of a seed asks one thing at a time.
pub fn one_at_a_time(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

/// Lives a seed's world through.
pub fn run(seed: u64, disk: Disk) -> Report {
    run_with(seed, disk, Stamps::Raised)
}

/// The same, with caches that are told of writes as said.
pub fn run_with(seed: u64, disk: Disk, stamps: Stamps) -> Report {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    runtime.block_on(World::new(seed, disk, stamps).live())
}

struct SimClock(AtomicU64, AtomicU64);

impl Clock for SimClock {
    fn now_millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn monotonic_millis(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

struct World {
    seed: u64,
    kind: Disk,
    stamps: Stamps,
    random: Random,
    /// For what is read: apart, so that reading decides nothing else.
    reading: Random,
    clock: Arc<SimClock>,
    log: MemoryDisk,
    state: MemoryDisk,
    ledger: Ledger,
    count: u64,
    groups: u64,
    report: Report,
}

/// Something that will go wrong with a disk.
#[derive(Clone, Copy)]
struct Trouble {
    fault: Fault,
    on_log: bool,
    /// Requests that come first.
    after: u64,
}

/// One request, and what it does if it does.
struct Asked {
    op: &'static str,
    body: Value,
    marks: Vec<(String, Mark)>,
    group: Option<u64>,
}

impl World {
    fn new(seed: u64, kind: Disk, stamps: Stamps) -> World {
        World {
            seed,
            kind,
            stamps,
            random: Random::new(seed),
            reading: Random::new(!seed),
            clock: Arc::new(SimClock(AtomicU64::new(BEGINNING_MILLIS), AtomicU64::new(0))),
            log: MemoryDisk::new(WriteAheadLog::On),
            state: MemoryDisk::new(WriteAheadLog::Off),
            ledger: Ledger::new(),
            count: 0,
            groups: 0,
            report: Report::default(),
        }
    }

    async fn live(mut self) -> Report {
        for life in 0..LIVES {
            let feed = Arc::new(Feed::default());
            let watched = Watched::new(Arc::clone(&feed), self.seed, self.stamps);
            let store = match self.open(life, &watched) {
                Ok(store) => Arc::new(store),
                Err(error) => {
                    self.fault(format!("life {life}: the store does not open: {error}"));
                    break;
                }
            };
            if life == 0 {
                self.create_table(&store).await;
            } else {
                self.check(life, &store).await;
            }
            let mut caches = match Caches::over(&store, &watched, TABLE).await {
                Ok(caches) => caches,
                Err(error) => {
                    self.fault(format!("life {life}: {error}"));
                    break;
                }
            };
            let last = life + 1 == LIVES;
            let trouble = if last { None } else { self.trouble() };
            self.requests(&store, &mut caches, trouble).await;
            self.report.hits += caches.hits;
            drop(caches);
            self.log.clear_faults();
            self.state.clear_faults();
            if last {
                match store.close().await {
                    Ok(()) => self.note("closed".to_owned()),
                    Err(error) => self.fault(format!("closing: {error}")),
                }
            } else {
                self.end(store);
            }
            self.report.faults.extend(feed.faults().into_iter().map(|fault| format!("life {life}: {fault}")));
            self.report.told += feed.told();
        }
        let feed = Arc::new(Feed::default());
        match self.open(LIVES, &Watched::new(Arc::clone(&feed), self.seed, self.stamps)) {
            Ok(store) => {
                self.check(LIVES, &store).await;
                if let Err(error) = store.close().await {
                    self.fault(format!("closing: {error}"));
                }
            }
            Err(error) => self.fault(format!("after a clean stop: {error}")),
        }
        self.report.acknowledged = self.ledger.acknowledged();
        self.report
    }

    fn open(&self, life: usize, watched: &Arc<Watched>) -> Result<Embedded, store::OpenError> {
        let log: SharedDb = match self.kind {
            Disk::Honest => Arc::new(self.log.open()),
            Disk::NeverSynced => Arc::new(Lying(self.log.open(), Lie::Synced)),
        };
        let state: SharedDb = Arc::new(self.state.open());
        let surroundings = Surroundings {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            entropy: Arc::new(SeededEntropy::new(self.seed ^ (life as u64) << 48)),
        };
        // Short, so that a restarted only voter need not wait long to lead again.
        let raft = RaftSettings {
            heartbeat_millis: 5,
            election_min_millis: 11,
            election_max_millis: 21,
            ..RaftSettings::default()
        };
        let settings = EmbeddedSettings { raft, ..EmbeddedSettings::default() };
        Embedded::open(settings, log, state, surroundings, Arc::clone(watched) as Arc<dyn api::ChangeSink>)
    }

    /// What will go wrong in a life, if something does.
    fn trouble(&mut self) -> Option<Trouble> {
        let fault = match self.random.below(5) {
            0 => Fault::CrashBefore,
            1 => Fault::CrashAfter,
            2 => Fault::Full,
            3 => Fault::Sync,
            _ => return None,
        };
        Some(Trouble { fault, on_log: self.random.below(3) > 0, after: self.random.below(REQUESTS_MAX / 2) })
    }

    /// Orders a fault for the disk's next step, when the disk is at rest: the node's own threads may still be writing down
    /// what is already acknowledged, and which step of theirs is the next is not the seed's to say.
    async fn order(&mut self, trouble: Trouble) {
        self.note(format!(
            "{:?} comes on the {}",
            trouble.fault,
            if trouble.on_log { "log" } else { "state" }
        ));
        let disk = if trouble.on_log { self.log.clone() } else { self.state.clone() };
        if one_at_a_time(self.seed) {
            let steps = |world: &World| {
                (world.log.writes(), world.log.syncs(), world.state.writes(), world.state.syncs())
            };
            let mut before = steps(self);
            for _ in 0..LOOKS_MAX {
                tokio::time::sleep(REST).await;
                let now = steps(self);
                if now == before {
                    break;
                }
                before = now;
            }
            disk.order_fault(0, trouble.fault);
        } else {
            let passing = self.random.below(6);
            disk.order_fault(passing, trouble.fault);
        }
    }

    /// The end of a life: the power goes, or only the process.
    fn end(&mut self, store: Arc<Embedded>) {
        if self.random.below(3) == 0 {
            self.note("killed".to_owned());
        } else {
            let tail = CrashTail { batches: self.random.below(3) as usize, torn: self.random.below(2) == 0 };
            self.note(format!("power cut, {tail:?}"));
            self.log.crash(tail);
            self.state.crash(CrashTail::default());
        }
        drop(store);
        // Clocks jump over an outage, either way.
        let now = self.clock.0.load(Ordering::Relaxed);
        let jump = self.random.below(100_000);
        let then = if self.random.below(2) == 0 { now + jump } else { now - jump };
        self.clock.0.store(then, Ordering::Relaxed);
    }

    async fn create_table(&mut self, store: &Embedded) {
        let body = json!({
            "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-g", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "p", "KeyType": "RANGE"}],
            }],
        });
        if let Err(error) = ask(store, "CreateTable", &body).await {
            self.fault(format!("no table: {error}"));
        }
        for _ in 0..LOOKS_MAX {
            match ask(store, "DescribeTable", &json!({"TableName": TABLE})).await {
                Ok(table) if table["Table"]["TableStatus"] == "ACTIVE" => return,
                _ => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            }
        }
        self.fault("the table does not become usable".to_owned());
    }

    async fn requests(&mut self, store: &Embedded, caches: &mut Caches, mut trouble: Option<Trouble>) {
        let mut left = 1 + self.random.below(REQUESTS_MAX);
        let mut done = 0;
        while left > 0 {
            if let Some(due) = trouble.take_if(|trouble| trouble.after <= done) {
                self.order(due).await;
            }
            done += 1;
            let at_once = if one_at_a_time(self.seed) { 1 } else { 1 + self.random.below(AT_ONCE_MAX) };
            // Of requests at once, no two touch one key: which of them was the later, nobody could say.
            let mut asked: Vec<Asked> = Vec::new();
            for _ in 0..at_once {
                let next = self.next();
                let taken = |key: &String| {
                    asked.iter().any(|other| other.marks.iter().any(|(known, _)| known == key))
                };
                if !next.marks.iter().any(|(key, _)| taken(key)) {
                    asked.push(next);
                }
            }
            left = left.saturating_sub(at_once);
            let advance = self.random.below(50);
            self.clock.0.fetch_add(advance, Ordering::Relaxed);
            self.clock.1.fetch_add(advance, Ordering::Relaxed);
            caches.advance(advance);
            let writes = join_all(asked.iter().map(|asked| ask(store, asked.op, &asked.body)));
            // Where things go one at a time, reads come after the write; otherwise in the middle of the writes.
            let answers = if one_at_a_time(self.seed) {
                let answers = writes.await;
                self.reads(caches).await;
                answers
            } else {
                join(writes, self.reads(caches)).await.0
            };
            let mut in_trouble = false;
            for (asked, answer) in asked.into_iter().zip(answers) {
                let outcome = match &answer {
                    Ok(_) => Outcome::Acknowledged,
                    Err(error) => match error.kind {
                        ErrorKind::ConditionalCheckFailedException
                        | ErrorKind::TransactionCanceledException
                        | ErrorKind::ValidationException => Outcome::Refused,
                        _ => Outcome::Unknown,
                    },
                };
                self.note(format!("{} {:?}: {outcome:?}", asked.op, asked.marks));
                for (key, mark) in asked.marks {
                    self.ledger.note(&key, mark, outcome, asked.group);
                }
                in_trouble |= outcome == Outcome::Unknown;
            }
            // How soon the node's threads learn of a dead disk is theirs: whether a further request still gets into the log
            // is no choice of the seed. Worlds with several at once go on, and see what becomes of those.
            if in_trouble && one_at_a_time(self.seed) {
                return;
            }
        }
    }

    async fn reads(&mut self, caches: &mut Caches) {
        for _ in 0..READS {
            if let Some(fault) = caches.read(&mut self.reading, KEYS).await {
                self.fault(fault);
            }
        }
    }

    fn next(&mut self) -> Asked {
        self.count += 1;
        let mark = self.count;
        let first = self.random.below(KEYS);
        let keys: Vec<String> = (0..3).map(|step| format!("k{}", (first + step * 5) % KEYS)).collect();
        let valued = |keys: &[String]| keys.iter().map(|key| (key.clone(), Mark::Value(mark))).collect();
        match self.random.below(10) {
            0..=2 => Asked {
                op: "PutItem",
                body: json!({"TableName": TABLE, "Item": item(&keys[0], mark)}),
                marks: valued(&keys[..1]),
                group: None,
            },
            3 | 4 => Asked {
                op: "UpdateItem",
                body: update(&keys[0], mark),
                marks: valued(&keys[..1]),
                group: None,
            },
            5 => Asked {
                op: "DeleteItem",
                body: json!({"TableName": TABLE, "Key": {"p": {"S": keys[0]}}}),
                marks: vec![(keys[0].clone(), Mark::Absent)],
                group: None,
            },
            6 => {
                let body = json!({"TableName": TABLE, "Item": item(&keys[0], mark), "ConditionExpression": "attribute_exists(never)"});
                Asked { op: "PutItem", body, marks: valued(&keys[..1]), group: None }
            }
            7 | 8 => {
                self.groups += 1;
                let body = json!({"TransactItems": [
                    {"Put": {"TableName": TABLE, "Item": item(&keys[0], mark)}}, {"Update": update(&keys[1], mark)}]});
                Asked { op: "TransactWriteItems", body, marks: valued(&keys[..2]), group: Some(self.groups) }
            }
            _ => {
                let puts: Vec<_> =
                    keys.iter().map(|key| json!({"PutRequest": {"Item": item(key, mark)}})).collect();
                let body = json!({"RequestItems": {TABLE: puts}});
                Asked { op: "BatchWriteItem", body, marks: valued(&keys), group: None }
            }
        }
    }

    /// Everything that must hold of a store that was opened again.
    async fn check(&mut self, life: usize, store: &Embedded) {
        let (items, entries) = match (scan(store, None).await, scan(store, Some("by-g")).await) {
            (Ok(items), Ok(entries)) => (items, entries),
            (Err(error), _) | (_, Err(error)) => return self.fault(format!("life {life}: {error}")),
        };
        for fault in index::check(&items, &entries) {
            self.fault(format!("life {life}: {fault}"));
        }
        let found = |key: &str| {
            let number =
                items.get(key).and_then(|item| item["n"]["N"].as_str()).and_then(|text| text.parse().ok());
            number.map_or(Mark::Absent, Mark::Value)
        };
        for fault in self.ledger.check(found) {
            self.fault(format!("life {life}: {fault:?}"));
        }
        self.ledger.settle(found);
        let held: Vec<_> = items.keys().map(|key| (key.as_str(), found(key))).collect();
        self.note(format!("life {life} holds {held:?}"));
    }

    fn note(&mut self, line: String) {
        self.report.history.push(line);
    }

    fn fault(&mut self, fault: String) {
        self.report.faults.push(fault);
    }
}

async fn ask(store: &Embedded, op: &str, body: &Value) -> Result<Value, api::Error> {
    let op = OpKind::from_name(op).expect("worlds name operations of the contract");
    let request = http_front::codec::decode_request(op, body.to_string().as_bytes())?;
    let answer = store.call(Context::default(), request).await?;
    let body = http_front::codec::encode_response(&answer.response)?;
    Ok(serde_json::from_slice(&body).expect("answers are JSON"))
}

/// The whole table, or the whole index, by primary key.
async fn scan(store: &Embedded, index: Option<&str>) -> Result<BTreeMap<String, Value>, String> {
    let mut body = json!({"TableName": TABLE, "ConsistentRead": index.is_none(), "Limit": 5});
    if let Some(index) = index {
        body["IndexName"] = json!(index);
    }
    let mut found = BTreeMap::new();
    for _ in 0..PAGES_MAX {
        let page = ask(store, "Scan", &body).await.map_err(|error| format!("a scan failed: {error}"))?;
        for item in page["Items"].as_array().into_iter().flatten() {
            let key = item["p"]["S"].as_str().unwrap_or_default().to_owned();
            if found.insert(key.clone(), item.clone()).is_some() {
                return Err(format!("{key} came twice in a scan"));
            }
        }
        match page.get("LastEvaluatedKey") {
            Some(last) => body["ExclusiveStartKey"] = last.clone(),
            None => return Ok(found),
        }
    }
    Err("a scan does not end".to_owned())
}

/// Every third item is in no index.
fn item(key: &str, mark: u64) -> Value {
    let mut item = json!({"p": {"S": key}, "n": {"N": mark.to_string()}, "pad": {"S": "x".repeat((mark % 90) as usize)}});
    if !mark.is_multiple_of(3) {
        item["g"] = json!({"S": format!("g{}", mark % 4)});
    }
    item
}

fn update(key: &str, mark: u64) -> Value {
    let mut body = json!({
        "TableName": TABLE, "Key": {"p": {"S": key}}, "UpdateExpression": "SET n = :n REMOVE g",
        "ExpressionAttributeValues": {":n": {"N": mark.to_string()}},
    });
    if !mark.is_multiple_of(3) {
        body["UpdateExpression"] = json!("SET n = :n, g = :g");
        body["ExpressionAttributeValues"][":g"] = json!({"S": format!("g{}", mark % 4)});
    }
    body
}
