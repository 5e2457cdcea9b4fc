//! Reads at a set rate, with durable writes among them, as many clients together would send them: an open loop.
//!
//! Requests are planned evenly in time. Each takes the connection that has been idle longest, or waits for one; its latency
//! counts from when it was planned, so that a server that falls behind shows it. Writes take connections of the same pool:
//! that is what the pools of clients do.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use crate::BenchError;
use crate::drive::{self, histogram, overdue, seed_of, wait};
use crate::exchange::Batch;
use crate::keys::Keys;
use crate::lane::{ANSWER_TIMEOUT, Lane};
use crate::report::median;
use crate::scenario::{Load, Scenario};
use crate::target::{Protocol, Target};
use crate::timer::Timer;

/// Room for the answers of one connection.
const ROOM: usize = 4 << 10;

/// At what rate, and how many of the requests write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Requests a second; `None` to measure how many there can be first, and take `share` of them.
    pub(crate) rate: Option<f64>,
    /// Of the top rate, 0 to 1.
    pub(crate) share: f64,
    /// Writes among a hundred requests. An echo has none: it knows one size of request.
    pub(crate) writes_percent: u64,
}

/// What one round of one target came to.
struct Paced {
    top: f64,
    planned: f64,
    reached: f64,
    reads: Histogram<u64>,
    writes: Histogram<u64>,
}

/// A connection, and the batch of the kind that it does not send just now.
struct Switch<'t> {
    lane: Lane<'t>,
    spare: Batch,
    writes: bool,
}

impl Switch<'_> {
    fn turn_to(&mut self, writes: bool) {
        if self.writes != writes {
            std::mem::swap(&mut self.lane.batch, &mut self.spare);
            self.writes = writes;
        }
    }
}

/// Runs every target in turn, several rounds, and prints the table.
pub(crate) fn run(targets: &[Target], load: &Load, pace: Pace, rounds: usize) -> Result<(), BenchError> {
    let mut results: Vec<Vec<Paced>> = targets.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds as u64 {
        for (target, results) in targets.iter().zip(&mut results) {
            let top = match pace.rate {
                Some(rate) => rate / pace.share,
                None => {
                    let measured = drive::run(target, load, round)?;
                    measured.answers as f64 / measured.time.as_secs_f64()
                }
            };
            results.push(round_of(target, load, pace, top, round)?);
        }
        eprintln!("round {} of {rounds} done", round + 1);
    }
    println!(
        "reads at {} of the top rate, {} % durable writes among them, {} connections, {} keys, {:?} a round",
        pace.share, pace.writes_percent, load.connections, load.keys, load.time
    );
    println!(
        "| target | top/s | planned/s | reached/s | reads p50 µs | p99 | p99.9 | p99.9, worst round | writes p50 µs | p99 | p99.9 |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (target, rounds) in targets.iter().zip(&results) {
        let of = |value: &dyn Fn(&Paced) -> f64| median(rounds.iter().map(value));
        let micros = |of: &Histogram<u64>, quantile| match of.len() {
            0 => f64::NAN,
            _ => of.value_at_quantile(quantile) as f64 / 1000.0,
        };
        let worst = rounds.iter().map(|round| micros(&round.reads, 0.999)).fold(f64::NAN, f64::max);
        println!(
            "| {target} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {worst:.1} | {:.1} | {:.1} | {:.1} |",
            of(&|round| round.top),
            of(&|round| round.planned),
            of(&|round| round.reached),
            of(&|round| micros(&round.reads, 0.5)),
            of(&|round| micros(&round.reads, 0.99)),
            of(&|round| micros(&round.reads, 0.999)),
            of(&|round| micros(&round.writes, 0.5)),
            of(&|round| micros(&round.writes, 0.99)),
            of(&|round| micros(&round.writes, 0.999)),
        );
    }
    Ok(())
}

fn round_of(target: &Target, load: &Load, pace: Pace, top: f64, round: u64) -> Result<Paced, BenchError> {
    let failed = || BenchError::io(format!("talking to {}", target.name));
    let credentials = load.credentials.as_ref();
    let (reads, opening) = target.exchange(load.scenario, load.value_bytes, credentials)?;
    let (writes, _) = target.exchange(Scenario::PutItem, load.value_bytes, credentials)?;
    let (reads, writes) = (Rc::new(reads), Rc::new(writes));
    let writes_percent = match target.protocol {
        Protocol::Echo(_) => 0,
        Protocol::Http | Protocol::Redis | Protocol::Dax => pace.writes_percent,
    };
    let mut poll = Poll::new().map_err(BenchError::io("making a poll"))?;
    let mut events = Events::with_capacity(load.connections + 1);
    let timer_token = Token(load.connections);
    let timer = Timer::new(poll.registry(), timer_token)?;
    let mut lanes = Vec::with_capacity(load.connections);
    for number in 0..load.connections {
        let mut lane = Lane::open(target, &opening, Batch::new(Rc::clone(&reads), 1), ROOM)?;
        lane.register(poll.registry(), number)?;
        lanes.push(Switch { lane, spare: Batch::new(Rc::clone(&writes), 1), writes: false });
    }
    let mut idle: VecDeque<usize> = (0..lanes.len()).collect();
    let mut keys = Keys::new(seed_of(load, round, 0), load.keys);
    let mut kinds = Keys::new(seed_of(load, round, 1), 100);
    let (planned, period) = (top * pace.share, 1.0 / (top * pace.share));
    let requests = (load.time.as_secs_f64() * planned) as u64;
    let mut latency = [histogram(), histogram()];
    let (mut next, mut answered) = (0, 0);
    let started = Instant::now();
    while answered < requests {
        while next < requests {
            let due = started + Duration::from_secs_f64(next as f64 * period);
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                timer.wake_in(left)?;
                break;
            }
            // Its answer is what wakes this loop next.
            let Some(number) = idle.pop_front() else { break };
            let switch = &mut lanes[number];
            switch.turn_to(kinds.draw() < writes_percent);
            switch.lane.begin(&mut keys, due).map_err(failed())?;
            next += 1;
        }
        wait(&mut poll, &mut events, Some(ANSWER_TIMEOUT))?;
        if events.is_empty() {
            return Err(overdue(target));
        }
        for event in events.iter().filter(|event| event.token() != timer_token) {
            let switch = &mut lanes[event.token().0];
            if switch.lane.is_idle() {
                continue;
            }
            if event.is_writable() {
                switch.lane.send().map_err(failed())?;
            }
            if event.is_readable() && switch.lane.receive()? > 0 {
                let taken = switch.lane.sent.elapsed().as_nanos() as u64;
                latency[usize::from(switch.writes)].saturating_record(taken);
                answered += 1;
                idle.push_back(event.token().0);
            }
        }
    }
    let reached = requests as f64 / started.elapsed().as_secs_f64();
    let [reads, writes] = latency;
    Ok(Paced { top, planned, reached, reads, writes })
}
