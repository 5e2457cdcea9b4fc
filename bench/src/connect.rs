//! New connections at a set rate: each says how it begins and who calls, asks once, takes the answer and goes.
//!
//! Planned evenly in time; what a connection took counts from when it was planned.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::drive::{histogram, seed_of, wait};
use crate::exchange::Batch;
use crate::keys::Keys;
use crate::lane::Lane;
use crate::scenario::Load;
use crate::target::Target;
use crate::timer::Timer;
use crate::{BenchError, process};

/// Room for an answer.
const ROOM: usize = 2 << 10;
/// Descriptors that this process has besides its connections.
const OTHER_FILES: u64 = 100;
/// Connections under way at a time; past them a planned one waits, and its time runs.
const UNDER_WAY_MAX: usize = 4096;
/// How long a connection may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a target is.
fn resolved(target: &Target) -> Result<SocketAddr, BenchError> {
    let doing = || BenchError::io(format!("looking up {}", target.address));
    let mut found = target.address.to_socket_addrs().map_err(doing())?;
    found.next().ok_or_else(|| doing()(std::io::ErrorKind::NotFound.into()))
}

/// Connects at `rate` for the load's time, and prints the table. Errors: also where a connection failed.
pub(crate) fn run(target: &Target, load: &Load, rate: f64) -> Result<(), BenchError> {
    process::allow_open_files(UNDER_WAY_MAX as u64 + OTHER_FILES)?;
    let (exchange, opening) = target.exchange(load.scenario, load.value_bytes, load.credentials.as_ref())?;
    let first = Batch::new(Rc::new(exchange), 1).behind(&opening);
    let address = resolved(target)?;
    let mut keys = Keys::new(seed_of(load, 0, 0), load.keys);
    let mut poll = Poll::new().map_err(BenchError::io("making a poll"))?;
    let mut events = Events::with_capacity(1024);
    let timer_token = Token(usize::MAX - 1);
    let timer = Timer::new(poll.registry(), timer_token)?;
    let planned = (load.time.as_secs_f64() * rate) as usize;
    let (mut next, mut succeeded, mut failures) = (0, 0, Vec::new());
    let mut under_way: HashMap<usize, Lane<'_>> = HashMap::new();
    let mut latency = histogram();
    let server_before = target.process.and_then(process::cpu_time);
    let started = Instant::now();
    let mut ended = started;
    while next < planned || !under_way.is_empty() {
        while next < planned && under_way.len() < UNDER_WAY_MAX {
            let due = started + Duration::from_secs_f64(next as f64 / rate);
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                timer.wake_in(left)?;
                break;
            }
            let begun = Lane::begin_to_open(target, address, first.clone(), ROOM).and_then(|mut lane| {
                lane.begin(&mut keys, due)?;
                Ok(lane)
            });
            match begun {
                Ok(mut lane) => {
                    lane.register(poll.registry(), next)?;
                    under_way.insert(next, lane);
                }
                Err(error) => failures.push(error.to_string()),
            }
            next += 1;
        }
        wait(&mut poll, &mut events, Some(Duration::from_secs(1)))?;
        for event in events.iter().filter(|event| event.token() != timer_token) {
            let number = event.token().0;
            let Some(lane) = under_way.get_mut(&number) else { continue };
            let outcome = match event.is_writable().then(|| lane.send()) {
                Some(Err(error)) => Err(BenchError::io("connecting")(error)),
                Some(Ok(())) | None if !event.is_readable() => Ok(0),
                Some(Ok(())) | None => lane.receive(),
            };
            match outcome {
                Ok(0) => {}
                Ok(_) => {
                    latency.saturating_record(lane.sent.elapsed().as_nanos() as u64);
                    succeeded += 1;
                    under_way.remove(&number);
                }
                // An answer that is not the right one is no matter of load.
                Err(error @ BenchError::Answer { .. }) => return Err(error),
                Err(error) => {
                    failures.push(error.to_string());
                    under_way.remove(&number);
                }
            }
            ended = Instant::now();
        }
        let before = under_way.len();
        under_way.retain(|_, lane| lane.sent.elapsed() < PATIENCE);
        failures.extend((under_way.len()..before).map(|_| format!("no answer in {PATIENCE:?}")));
    }
    let spent = |pid| process::cpu_time(pid)?.checked_sub(server_before?);
    let server = target.process.and_then(spent);
    let server_micros =
        server.map_or(f64::NAN, |spent| spent.as_secs_f64() * 1e6 / f64::from(succeeded.max(1)));
    let micros = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "new connections, {}, each with one {}, {rate} planned a second, {:?}",
        if load.credentials.is_some() { "authorised" } else { "not authorised" },
        load.scenario.name(),
        load.time
    );
    println!(
        "| target | planned | succeeded | failed | succeeded/s | p50 µs | p99 µs | p99.9 µs | CPU µs a connection, server |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    println!(
        "| {target} | {planned} | {succeeded} | {} | {:.0} | {:.1} | {:.1} | {:.1} | {server_micros:.1} |",
        failures.len(),
        f64::from(succeeded) / (ended - started).as_secs_f64(),
        micros(0.5),
        micros(0.99),
        micros(0.999),
    );
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(BenchError::Connections { failed: failures.len(), first: first.clone() }),
    }
}
