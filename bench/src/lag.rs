//! How long after a write was acknowledged other nodes answer with it, while the writing node is under a load of writes.
//!
//! For each of the other nodes one client writes a number, waits for the acknowledgement, and reads that node until it answers with
//! the number, resting a little between reads. What is measured ends when the answer has come, so it holds a whole read, up to one rest,
//! and what the node's machine is busy with.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::BenchError;
use crate::blocking::Connection;
use crate::drive::{self, Measured, histogram};
use crate::item::{self, TABLE};
use crate::scenario::Load;
use crate::target::{Protocol, Target};

/// How long a client rests between two writes: the load is the others'.
const REST: Duration = Duration::from_millis(5);
/// How long it rests after a read that came too early. A client that asks without rest takes the processor from the nodes it measures.
const BETWEEN_READS: Duration = Duration::from_micros(500);
/// After how long without the number something is broken, not slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one client saw of one node.
struct Seen {
    /// From the acknowledgement to an answer with what was written. Unit: nanoseconds.
    lag: Histogram<u64>,
    /// A single read, whatever it answered. Unit: nanoseconds.
    read: Histogram<u64>,
}

/// Loads `writer`, reads `readers`, and prints the table. The items of the load are there.
pub(crate) fn run(writer: &Target, readers: &[Target], load: &Load) -> Result<(), BenchError> {
    if let Some(other) =
        std::iter::once(writer).chain(readers).find(|target| target.protocol != Protocol::Http)
    {
        return Err(BenchError::OnlyHttp { target: other.name.clone() });
    }
    let until = Instant::now() + load.time;
    let (measured, seen) = std::thread::scope(|scope| {
        let writes = scope.spawn(|| drive::run(writer, load, 0));
        let clients: Vec<_> = readers
            .iter()
            .enumerate()
            .map(|(place, reader)| (reader, load.keys + place as u64))
            .map(|(reader, key)| scope.spawn(move || follow(writer, reader, key, until)))
            .collect();
        let seen: Result<Vec<Seen>, BenchError> =
            clients.into_iter().map(|client| client.join().expect("a client panicked")).collect();
        (writes.join().expect("the load panicked"), seen)
    });
    print(&measured?, readers, &seen?, load);
    Ok(())
}

/// Writes numbers under a key and waits for each to be answered.
fn follow(writer: &Target, reader: &Target, key: u64, until: Instant) -> Result<Seen, BenchError> {
    let (mut writes, mut reads) = (Connection::open(writer)?, Connection::open(reader)?);
    let (mut put, mut get) = (Vec::new(), Vec::new());
    let name = item::name(key);
    crate::http::request(
        "GetItem",
        &format!(r#"{{"TableName":"{TABLE}","Key":{{"pk":{{"S":"{name}"}}}}}}"#),
        &mut get,
    );
    let mut seen = Seen { lag: histogram(), read: histogram() };
    let mut number = 0_u64;
    while Instant::now() < until {
        number += 1;
        let written = format!(r#""number":{{"N":"{number}"}}"#);
        put.clear();
        crate::http::request(
            "PutItem",
            &format!(r#"{{"TableName":"{TABLE}","Item":{{"pk":{{"S":"{name}"}},{written}}}}}"#),
            &mut put,
        );
        writes.insist(&put, "PutItem")?;
        let acknowledged = Instant::now();
        loop {
            let asked = Instant::now();
            reads.insist(&get, "GetItem")?;
            seen.read.saturating_record(asked.elapsed().as_nanos() as u64);
            if memchr::memmem::find(reads.answer(), written.as_bytes()).is_some() {
                break;
            }
            if acknowledged.elapsed() > PATIENCE {
                return Err(BenchError::answer(
                    reader,
                    "a read of what was written long ago",
                    reads.answer(),
                ));
            }
            std::thread::sleep(BETWEEN_READS);
        }
        seen.lag.saturating_record(acknowledged.elapsed().as_nanos() as u64);
        std::thread::sleep(REST);
    }
    Ok(seen)
}

fn print(load: &Measured, readers: &[Target], seen: &[Seen], asked: &Load) {
    let micros = |of: &Histogram<u64>, quantile| of.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "a write until another node answers with it, beside {:.0} writes/s of {} connections",
        load.answers as f64 / load.time.as_secs_f64(),
        asked.connections
    );
    println!("| node | writes | p50 µs | p99 µs | p99.9 µs | worst µs | one read p50 µs | p99 µs |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for (reader, seen) in readers.iter().zip(seen) {
        println!(
            "| {reader} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            seen.lag.len(),
            micros(&seen.lag, 0.5),
            micros(&seen.lag, 0.99),
            micros(&seen.lag, 0.999),
            seen.lag.max() as f64 / 1000.0,
            micros(&seen.read, 0.5),
            micros(&seen.read, 0.99),
        );
    }
}
