//! The load phase: makes the tables and writes every item, in batches, over a few blocking connections.

use std::ops::Range;
use std::time::Duration;

use crate::blocking::Connection;
use crate::item::{PARTED_TABLE, TABLE};
use crate::scenario::{Load, Scenario};
use crate::target::{Protocol, Target};
use crate::{BenchError, http, item, redis};

/// Items in one batch.
const BATCH: u64 = 25;
/// Connections.
const CONNECTIONS: u64 = 8;
/// How long a table may take to become active.
const ACTIVE_TRIES: usize = 200;
const ACTIVE_PAUSE: Duration = Duration::from_millis(50);

/// Makes the tables and writes every item.
pub(crate) fn fill(target: &Target, load: &Load) -> Result<(), BenchError> {
    match target.protocol {
        Protocol::Echo(_) => Ok(()),
        // The wire makes no tables, so what made the table has written the items too.
        Protocol::Dax => Err(BenchError::NotFilled { target: target.name.clone() }),
        Protocol::Redis => {
            let mut connection = Connection::open(target)?;
            let mut request = Vec::new();
            (0..load.keys).try_for_each(|key| {
                request.clear();
                redis::write(Scenario::PutItem, key, load.value_bytes, &mut request);
                connection.insist(&request, "SET")
            })
        }
        Protocol::Http => {
            let parted = load.scenario == Scenario::Query;
            create_table(target, parted)?;
            let share = load.keys.div_ceil(CONNECTIONS);
            std::thread::scope(|scope| {
                let lanes: Vec<_> = (0..CONNECTIONS)
                    .map(|lane| (lane * share).min(load.keys)..((lane + 1) * share).min(load.keys))
                    .map(|keys| scope.spawn(|| fill_share(target, load.value_bytes, parted, keys)))
                    .collect();
                lanes.into_iter().try_for_each(|lane| lane.join().expect("a lane of the load phase panicked"))
            })
        }
    }
}

fn fill_share(target: &Target, value_bytes: usize, parted: bool, keys: Range<u64>) -> Result<(), BenchError> {
    let mut connection = Connection::open(target)?;
    let mut request = Vec::new();
    for from in keys.clone().step_by(BATCH as usize) {
        batch(from..(from + BATCH).min(keys.end), value_bytes, parted, &mut request);
        connection.insist(&request, "BatchWriteItem")?;
    }
    Ok(())
}

fn batch(keys: Range<u64>, value_bytes: usize, parted: bool, out: &mut Vec<u8>) {
    let (table, item): (_, fn(u64, usize) -> String) =
        if parted { (PARTED_TABLE, item::parted_json) } else { (TABLE, item::json) };
    let puts: Vec<String> =
        keys.map(|key| format!(r#"{{"PutRequest":{{"Item":{}}}}}"#, item(key, value_bytes))).collect();
    out.clear();
    http::request(
        "BatchWriteItem",
        &format!(r#"{{"RequestItems":{{"{table}":[{}]}}}}"#, puts.join(",")),
        out,
    );
}

fn create_table(target: &Target, parted: bool) -> Result<(), BenchError> {
    let mut connection = Connection::open(target)?;
    let (table, attributes, sort) = if parted {
        (
            PARTED_TABLE,
            r#",{"AttributeName":"sk","AttributeType":"N"}"#,
            r#",{"AttributeName":"sk","KeyType":"RANGE"}"#,
        )
    } else {
        (TABLE, "", "")
    };
    let body = format!(
        r#"{{"TableName":"{table}","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{{"AttributeName":"pk","AttributeType":"S"}}{attributes}],"KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}}{sort}]}}"#
    );
    let mut request = Vec::new();
    http::request("CreateTable", &body, &mut request);
    let made = connection.exchange(&request)?;
    if !made && memchr::memmem::find(connection.answer(), b"ResourceInUseException").is_none() {
        return Err(BenchError::answer(target, "CreateTable", connection.answer()));
    }
    request.clear();
    http::request("DescribeTable", &format!(r#"{{"TableName":"{table}"}}"#), &mut request);
    for _ in 0..ACTIVE_TRIES {
        connection.insist(&request, "DescribeTable")?;
        if memchr::memmem::find(connection.answer(), br#""ACTIVE""#).is_some() {
            return Ok(());
        }
        std::thread::sleep(ACTIVE_PAUSE);
    }
    Err(BenchError::answer(target, "DescribeTable", connection.answer()))
}
