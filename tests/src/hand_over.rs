//! What a planned hand-over costs writers: an operator moves leadership, or stops the primary, again and again under load.
//!
//! One client of each node writes without rest, beside the [`Load`]. A pause is the longest time between two acknowledgements of one
//! client, one after the other, the second of them after the order was given; the longest of all clients counts, and nothing is subtracted
//! from it. No request of anybody fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::durations::Durations;
use crate::load::{Load, Open};
use crate::numbers::{get, now, number, put, table};

/// Nothing is done for as long as a hand-over is looked at: what the machine is good for.
pub const CALM: &str = "nothing moves";
/// `forebay member transfer-primary`.
pub const TRANSFERRED: &str = "a transfer";
/// SIGTERM to the primary.
pub const STOPPED: &str = "a stop of the primary";

const NODES: usize = 3;
/// Keys of each writer.
const KEYS: u64 = 8;
/// Under load before the order, and after it was carried out.
const AROUND: Duration = Duration::from_millis(500);
/// Once in so many transfers nothing is done instead as well.
const CALM_EVERY: usize = 5;

/// What a writer met.
#[derive(Default)]
struct Written {
    acknowledged: Vec<Instant>,
    last: BTreeMap<String, u64>,
    failed: Vec<String>,
}

/// So many hand-overs of either kind: how long writes paused for each.
pub fn run(transfers: usize, stops: usize) -> Durations {
    let mut cluster = Cluster::start(NODES);
    cluster.node(0).create_table(&table());
    let open = Open::of(&cluster);
    let mut pauses = Durations::default();
    for turn in 0..transfers {
        if turn % CALM_EVERY == 0 {
            let (pause, written) = around(CALM, turn, &open, || std::thread::sleep(AROUND));
            stands(&cluster, turn % NODES, &written);
            pauses.note(CALM, pause);
        }
        let before = cluster.primary();
        let (pause, written) = around(TRANSFERRED, turn, &open, || {
            cluster.command(turn % NODES, &["member", "transfer-primary"]);
        });
        assert_ne!(cluster.primary(), before, "leadership has moved");
        stands(&cluster, turn % NODES, &written);
        pauses.note(TRANSFERRED, pause);
    }
    for turn in 0..stops {
        let primary = cluster.primary();
        let (pause, written) = around(STOPPED, turn, &open, || {
            // As a balancer that asks `/ready` has it.
            open.leave(primary);
            cluster.stop(primary);
        });
        let other = cluster.primary();
        stands(&cluster, other, &written);
        pauses.note(STOPPED, pause);
        cluster.start_one(primary);
        open.take(primary, cluster.node(primary).http);
        cluster.wait_for(other, "the node comes back", |status| {
            let members = status["members"].as_array().expect("a list");
            members.iter().all(|member| member["about"]["stopping"] == false && member["present"] == true)
        });
    }
    pauses
}

/// Whether what was acknowledged last is what a node says.
fn stands(cluster: &Cluster, at: usize, written: &BTreeMap<String, u64>) {
    for (key, last) in written {
        let found = number(&cluster.ok(at, "GetItem", &get(key, true)));
        assert_eq!(found, Some(*last), "{key} as node {at} says");
    }
}

/// The longest pause of any writer around what is done, and what they have written.
fn around(kind: &str, turn: usize, open: &Open, change: impl FnOnce()) -> (Duration, BTreeMap<String, u64>) {
    let load = Load::begin(NODES, &format!("{kind} {turn}, load "), open);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..NODES)
        .map(|home| {
            let (open, stop, name) =
                (open.clone(), Arc::clone(&stop), format!("{kind} {turn}, writer {home}"));
            std::thread::spawn(move || write(home, &name, &open, &stop))
        })
        .collect();
    std::thread::sleep(AROUND);
    let ordered = now();
    change();
    std::thread::sleep(AROUND);
    stop.store(true, Ordering::Relaxed);
    let (mut pauses, mut last) = (Vec::new(), BTreeMap::new());
    for writer in writers {
        let written = writer.join().expect("a writer meets nothing but what it counts");
        assert_eq!(written.failed, Vec::<String>::new(), "{kind} {turn}");
        pauses.push(longest(&written.acknowledged, ordered));
        last.extend(written.last);
    }
    load.end(kind);
    println!("by the node that each writer began with: {pauses:?}");
    (pauses.into_iter().max().expect("there are writers"), last)
}

/// The longest time between two moments, one after the other, of which the second is after `since`. Panics where there are none, before it
/// and after it.
fn longest(moments: &[Instant], since: Instant) -> Duration {
    let pairs = moments.windows(2).filter(|pair| pair[1] > since);
    pairs.map(|pair| pair[1] - pair[0]).max().expect("acknowledgements before and after")
}

/// Writes its keys in turn, and never rests, through its node or, where that is closed, another.
fn write(home: usize, name: &str, open: &Open, stop: &AtomicBool) -> Written {
    let mut written = Written::default();
    let (mut mark, mut wire) = (0, None);
    while !stop.load(Ordering::Relaxed) {
        let Some(connected) = &mut wire else {
            wire = open.connect(home);
            continue;
        };
        mark += 1;
        let key = format!("{name}-{}", mark % KEYS);
        let closing = match connected.ask("PutItem", &put(&key, mark)) {
            Ok(reply) if reply.status == 200 => {
                written.acknowledged.push(now());
                written.last.insert(key, mark);
                reply.header("connection") == Some("close")
            }
            Ok(reply) => {
                let said = String::from_utf8_lossy(&reply.body).into_owned();
                written.failed.push(format!("{name}: {} {said}", reply.status));
                false
            }
            Err(error) => {
                written.failed.push(format!("{name}: {error}"));
                true
            }
        };
        if closing {
            wire = None;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_begins_before_the_order_counts_and_one_that_ends_before_it_does_not() {
        let begun = now();
        let moments: Vec<Instant> =
            [0, 70, 80, 120, 130].map(|millis| begun + Duration::from_millis(millis)).to_vec();
        let pause = |since| longest(&moments, begun + Duration::from_millis(since)).as_millis();
        assert_eq!((pause(0), pause(75), pause(100), pause(125)), (70, 40, 40, 10));
    }
}
