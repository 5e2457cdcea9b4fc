//! Drives a target: a closed loop on each connection, every answer timed.
//!
//! One thread waits for all connections at once. A batch of requests costs it one write, one read and its share of a wait,
//! whatever the target speaks, so that little of what is measured is the generator's own; [`Measured::generator`] says how
//! much.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Poll};

use crate::BenchError;
use crate::exchange::Batch;
use crate::keys::Keys;
use crate::lane::{ANSWER_TIMEOUT, Lane};
use crate::process;
use crate::scenario::Load;
use crate::target::Target;

/// How often it is looked whether an answer is overdue.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Room for the answers of one connection, grown where they need more.
const ROOM: usize = 16 << 10;

/// What one round of one target came to.
pub(crate) struct Measured {
    /// Answers.
    pub(crate) answers: u64,
    /// How long it took.
    pub(crate) time: Duration,
    /// Latency of each answer, nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// CPU time of the target's process, where that is known.
    pub(crate) server: Option<Duration>,
    /// CPU time of this process.
    pub(crate) generator: Option<Duration>,
}

/// An empty histogram of nanoseconds, of three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(100, 60_000_000_000, 3)
        .expect("the bounds are in order and three digits are allowed")
}

/// The seed of a connection's keys: the same in each round for all targets.
pub(crate) fn seed_of(load: &Load, round: u64, connection: usize) -> u64 {
    load.seed ^ (round << 32) ^ ((connection as u64) << 48)
}

/// Waits for events; an interruption is none.
pub(crate) fn wait(poll: &mut Poll, events: &mut Events, time: Option<Duration>) -> Result<(), BenchError> {
    match poll.poll(events, time) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => {
            Err(BenchError::io("waiting for answers")(error))
        }
        _ => Ok(()),
    }
}

/// What is said of a target that does not answer.
pub(crate) fn overdue(target: &Target) -> BenchError {
    BenchError::io(format!("waiting for {}", target.name))(io::ErrorKind::TimedOut.into())
}

/// Drives a target for the load's time.
pub(crate) fn run(target: &Target, load: &Load, round: u64) -> Result<Measured, BenchError> {
    let failed = || BenchError::io(format!("talking to {}", target.name));
    let (exchange, opening) = target.exchange(load.scenario, load.value_bytes, load.credentials.as_ref())?;
    let exchange = Rc::new(exchange);
    let mut poll = Poll::new().map_err(BenchError::io("making a poll"))?;
    let mut events = Events::with_capacity(load.connections.max(1));
    let mut lanes = Vec::with_capacity(load.connections);
    for number in 0..load.connections {
        let batch = Batch::new(Rc::clone(&exchange), load.pipeline);
        let mut lane = Lane::open(target, &opening, batch, ROOM)?;
        lane.register(poll.registry(), number)?;
        lanes.push((lane, Keys::new(seed_of(load, round, number), load.keys)));
    }
    let mut latency = histogram();
    let server_before = target.process.and_then(process::cpu_time);
    let generator_before = process::cpu_time(std::process::id());
    let started = Instant::now();
    let until = started + load.time;
    for (lane, keys) in &mut lanes {
        lane.begin(keys, Instant::now()).map_err(failed())?;
    }
    let mut going = lanes.len();
    while going > 0 {
        wait(&mut poll, &mut events, Some(LOOK_EVERY))?;
        for event in &events {
            let (lane, keys) = &mut lanes[event.token().0];
            if lane.is_idle() {
                continue;
            }
            if event.is_writable() {
                lane.send().map_err(failed())?;
            }
            if !event.is_readable() {
                continue;
            }
            let answers = lane.receive()?;
            if answers == 0 {
                continue;
            }
            let now = Instant::now();
            let taken = (now - lane.sent).as_nanos() as u64;
            (0..answers).for_each(|_| latency.saturating_record(taken));
            if !lane.is_idle() {
                continue;
            }
            if now < until {
                lane.begin(keys, now).map_err(failed())?;
            } else {
                going -= 1;
            }
        }
        let late = |lane: &Lane<'_>| !lane.is_idle() && lane.sent.elapsed() > ANSWER_TIMEOUT;
        if events.is_empty() && lanes.iter().any(|(lane, _)| late(lane)) {
            return Err(overdue(target));
        }
    }
    let spent = |pid, before: Option<Duration>| process::cpu_time(pid)?.checked_sub(before?);
    Ok(Measured {
        answers: latency.len(),
        time: started.elapsed(),
        server: target.process.and_then(|pid| spent(pid, server_before)),
        generator: spent(std::process::id(), generator_before),
        latency,
    })
}
