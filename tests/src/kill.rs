//! Kill cycles: a node is killed in the middle of concurrent writes, started again, and asked what it still knows.
//!
//! What it proves: no acknowledged write is lost, no transaction is there in part, and every index entry matches its item,
//! however the process ends. What it does not: the machine goes on, so what the process had written but not synced
//! survives in the system's cache; that is what the simulation cuts off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::contract::tables::key;
use crate::directory::Directory;
use crate::ledger::{Ledger, Mark, Outcome};
use crate::node::Node;
use crate::random::Random;
use crate::wire::Wire;

const TABLE: &str = "kill";
/// Concurrent writers, each on a connection of its own.
const WRITERS: u64 = 6;
/// Keys of each writer.
const KEYS: u64 = 24;
/// The longest a cycle writes before the node is killed.
const WRITING_MILLIS_MAX: u64 = 500;
/// Pages a scan may have.
const PAGES_MAX: usize = 10_000;

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Cycles run.
    pub cycles: usize,
    /// Acknowledged writes, all cycles together.
    pub acknowledged: u64,
    /// Writes whose outcome nobody learned.
    pub unknown: u64,
    /// From the start of the process after each kill until it was ready.
    pub ready_after: Vec<Duration>,
    /// What was wrong, cycle by cycle.
    pub faults: Vec<String>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.ready_after.clone();
        sorted.sort();
        let at =
            |share: usize| sorted.get((sorted.len().max(1) - 1) * share / 100).copied().unwrap_or_default();
        write!(
            f,
            "{} cycles, {} acknowledged writes, {} of unknown outcome, {} faults; ready after a kill: p50 {:?}, worst {:?}",
            self.cycles,
            self.acknowledged,
            self.unknown,
            self.faults.len(),
            at(50),
            at(100)
        )
    }
}

/// Runs that many cycles. The seed decides what is written and when the node is killed; how far it gets is the machine's.
pub fn run(cycles: usize, seed: u64) -> Report {
    let directory = Directory::new("kill");
    let groups = Arc::new(AtomicU64::new(1));
    let mut random = Random::new(seed);
    let mut report = Report::default();
    let mut ledgers: Vec<Ledger> = (0..WRITERS).map(|_| Ledger::new()).collect();
    let mut counters = vec![0; WRITERS as usize];
    let mut node = Node::on(directory.path());
    node.create_table(&json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"}],
        "KeySchema": key("p", None),
        "GlobalSecondaryIndexes": [{"IndexName": "by-g", "KeySchema": key("g", Some("p")), "Projection": {"ProjectionType": "ALL"}}],
    }));
    for cycle in 0..cycles {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = ledgers
            .drain(..)
            .enumerate()
            .map(|(writer, ledger)| {
                let writer = Writer {
                    number: writer as u64,
                    count: counters[writer],
                    ledger,
                    random: Random::new(seed ^ ((cycle as u64) << 20 | writer as u64) ^ 0x9e37_79b9),
                    groups: Arc::clone(&groups),
                    stop: Arc::clone(&stop),
                };
                let address = node.http;
                std::thread::spawn(move || writer.write(address))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(random.below(WRITING_MILLIS_MAX)));
        node.kill();
        stop.store(true, Ordering::Relaxed);
        for (writer, thread) in writers.into_iter().enumerate() {
            let (ledger, count) = thread.join().expect("a writer meets nothing but what it expects");
            ledgers.push(ledger);
            counters[writer] = count;
        }
        node = Node::on(directory.path());
        report.ready_after.push(node.ready_after);
        report.cycles += 1;
        let items = scan(&node, None);
        for fault in check_index(&items, &scan(&node, Some("by-g"))) {
            report.faults.push(format!("cycle {cycle}: {fault}"));
        }
        let found = |key: &str| match items.get(key) {
            None => Mark::Absent,
            Some(item) => number(item).map_or(Mark::Absent, Mark::Value),
        };
        for ledger in &mut ledgers {
            for fault in ledger.check(found) {
                report.faults.push(format!("cycle {cycle}: {fault:?}"));
            }
            ledger.settle(found);
        }
    }
    for ledger in &ledgers {
        report.acknowledged += ledger.acknowledged();
        report.unknown += ledger.unknown();
    }
    assert!(node.stop().success(), "the node stops well after the last cycle");
    report
}

struct Writer {
    number: u64,
    /// Writes so far; the next is marked with one more.
    count: u64,
    ledger: Ledger,
    random: Random,
    groups: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    /// Writes until the node is gone.
    fn write(mut self, address: std::net::SocketAddr) -> (Ledger, u64) {
        let Ok(mut wire) = Wire::connect(address) else { return (self.ledger, self.count) };
        while !self.stop.load(Ordering::Relaxed) {
            self.count += 1;
            let keys: Vec<String> = {
                let first = self.random.below(KEYS);
                // Distinct keys: an operation may name an item only once.
                (0..4).map(|step| format!("w{}-{}", self.number, (first + step * 5) % KEYS)).collect()
            };
            let mark = self.count;
            let put = |key: &str| json!({"TableName": TABLE, "Item": item(key, mark)});
            let (op, body, marks, group) = match self.random.below(10) {
                0..=3 => ("PutItem", put(&keys[0]), vec![(&keys[0], Mark::Value(mark))], None),
                4 | 5 => ("UpdateItem", update(&keys[0], mark), vec![(&keys[0], Mark::Value(mark))], None),
                6 => {
                    let body = json!({"TableName": TABLE, "Key": {"p": {"S": keys[0]}}});
                    ("DeleteItem", body, vec![(&keys[0], Mark::Absent)], None)
                }
                7 | 8 => {
                    let body = json!({"TransactItems": [{"Put": put(&keys[0])}, {"Update": update(&keys[1], mark)}]});
                    let group = self.groups.fetch_add(1, Ordering::Relaxed);
                    let marks = keys[..2].iter().map(|key| (key, Mark::Value(mark))).collect();
                    ("TransactWriteItems", body, marks, Some(group))
                }
                _ => {
                    let puts: Vec<_> =
                        keys.iter().map(|key| json!({"PutRequest": {"Item": item(key, mark)}})).collect();
                    let marks = keys.iter().map(|key| (key, Mark::Value(mark))).collect();
                    ("BatchWriteItem", json!({"RequestItems": {TABLE: puts}}), marks, None)
                }
            };
            let (outcome, end) = match wire.ask(op, &body) {
                Ok(reply) if reply.status == 200 => {
                    assert!(
                        reply.json()["UnprocessedItems"].as_object().is_none_or(serde_json::Map::is_empty)
                    );
                    (Outcome::Acknowledged, false)
                }
                // The node may say so while it is going down; it is not said what became of the write.
                Ok(reply) if reply.status >= 500 => (Outcome::Unknown, true),
                Ok(reply) => panic!("{op}: {}", String::from_utf8_lossy(&reply.body)),
                Err(_) => (Outcome::Unknown, true),
            };
            for (key, mark) in marks {
                self.ledger.note(key, mark, outcome, group);
            }
            if end {
                break;
            }
        }
        (self.ledger, self.count)
    }
}

/// Items differ in size, and move about in the index.
fn item(key: &str, mark: u64) -> Value {
    json!({"p": {"S": key}, "n": {"N": mark.to_string()}, "g": {"S": format!("g{}", mark % 5)},
           "pad": {"S": "x".repeat((mark % 700) as usize)}})
}

fn update(key: &str, mark: u64) -> Value {
    json!({
        "TableName": TABLE, "Key": {"p": {"S": key}}, "UpdateExpression": "SET n = :n, g = :g",
        "ExpressionAttributeValues": {":n": {"N": mark.to_string()}, ":g": {"S": format!("g{}", mark % 5)}},
    })
}

fn number(item: &Value) -> Option<u64> {
    item["n"]["N"].as_str()?.parse().ok()
}

/// The whole table, or the whole index, by primary key.
fn scan(node: &Node, index: Option<&str>) -> BTreeMap<String, Value> {
    let mut body = json!({"TableName": TABLE, "ConsistentRead": index.is_none()});
    if let Some(index) = index {
        body["IndexName"] = json!(index);
    }
    let mut wire = node.connect();
    let mut found = BTreeMap::new();
    for _ in 0..PAGES_MAX {
        let reply = wire.ask("Scan", &body).expect("the node answers");
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let page = reply.json();
        for item in page["Items"].as_array().expect("a list of items") {
            let key = item["p"]["S"].as_str().expect("a key").to_owned();
            let twice = found.insert(key, item.clone());
            assert_eq!(twice, None, "an item came twice");
        }
        match page.get("LastEvaluatedKey") {
            Some(last) => body["ExclusiveStartKey"] = last.clone(),
            None => return found,
        }
    }
    panic!("the scan does not end")
}

/// The index must hold every item as it is, and nothing else.
fn check_index(items: &BTreeMap<String, Value>, entries: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (key, item) in items {
        match entries.get(key) {
            Some(entry) if entry == item => {}
            Some(_) => faults.push(format!("the index holds another {key} than the table")),
            None => faults.push(format!("the index lacks {key}")),
        }
    }
    faults.extend(
        entries
            .keys()
            .filter(|key| !items.contains_key(*key))
            .map(|key| format!("the index holds {key}, which is gone")),
    );
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_differs_from_its_table_is_seen() {
        let table = BTreeMap::from([("a".to_owned(), item("a", 1)), ("b".to_owned(), item("b", 2))]);
        assert_eq!(check_index(&table, &table), Vec::<String>::new());
        let mut index = table.clone();
        index.remove("a");
        assert_eq!(check_index(&table, &index), ["the index lacks a"]);
        index.insert("a".to_owned(), item("a", 3));
        assert_eq!(check_index(&table, &index), ["the index holds another a than the table"]);
        index.insert("a".to_owned(), item("a", 1));
        index.insert("c".to_owned(), item("c", 1));
        assert_eq!(check_index(&table, &index), ["the index holds c, which is gone"]);
    }
}
