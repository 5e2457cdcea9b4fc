//! What connections cost that do nothing: memory of the server before and after so many of them were opened, each having
//! asked once.

use std::rc::Rc;
use std::time::Duration;

use mio::{Events, Poll};

use crate::drive::{overdue, seed_of, wait};
use crate::exchange::Batch;
use crate::keys::Keys;
use crate::lane::{ANSWER_TIMEOUT, Lane};
use crate::scenario::Load;
use crate::target::Target;
use crate::{BenchError, process};

/// Room for an answer: a connection that does nothing costs the generator little too.
const ROOM: usize = 1 << 10;
/// Descriptors that a process has besides its connections.
const OTHER_FILES: u64 = 200;
/// Connections that are opened and asked over at a time.
const TOGETHER: usize = 128;
/// How long a server is left alone before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// Opens the load's connections, asks once on each, reads the server's memory, and prints the table.
pub(crate) fn run(target: &Target, load: &Load) -> Result<(), BenchError> {
    let connections = load.connections;
    let files = connections as u64 + OTHER_FILES;
    process::allow_open_files(files)?;
    let process = target.process.ok_or_else(|| BenchError::NoProcess { target: target.name.clone() })?;
    if let Some(limit) = process::open_files_limit(process)
        && limit < files
    {
        return Err(BenchError::ServersFiles { target: target.name.clone(), limit, needed: files });
    }
    let (exchange, opening) = target.exchange(load.scenario, load.value_bytes, load.credentials.as_ref())?;
    let batch = Batch::new(Rc::new(exchange), 1);
    let mut keys = Keys::new(seed_of(load, 0, 0), load.keys);
    let mut poll = Poll::new().map_err(BenchError::io("making a poll"))?;
    let mut events = Events::with_capacity(TOGETHER);
    let resident = || {
        process::resident_bytes(process).ok_or_else(|| BenchError::NoProcess { target: target.name.clone() })
    };
    std::thread::sleep(REST);
    let before = resident()?;
    let mut lanes: Vec<Lane<'_>> = Vec::with_capacity(connections);
    while lanes.len() < connections {
        let first = lanes.len();
        for number in first..connections.min(first + TOGETHER) {
            let mut lane = Lane::open(target, &opening, batch.clone(), ROOM)?;
            lane.register(poll.registry(), number)?;
            lanes.push(lane);
        }
        ask(target, &mut lanes[first..], first, &mut keys, &mut poll, &mut events)?;
    }
    std::thread::sleep(REST);
    let idle = resident()?;
    // They must all still be there.
    for (group, lanes) in lanes.chunks_mut(TOGETHER).enumerate() {
        ask(target, lanes, group * TOGETHER, &mut keys, &mut poll, &mut events)?;
    }
    std::thread::sleep(REST);
    let again = resident()?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "idle connections, {}, each having made one {}",
        if load.credentials.is_some() { "authorised" } else { "not authorised" },
        load.scenario.name()
    );
    println!(
        "| target | connections | memory before, MiB | with them | after they asked again | more, MiB | KiB a connection |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    let more = idle.max(again).saturating_sub(before);
    println!(
        "| {target} | {connections} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} |",
        mib(before),
        mib(idle),
        mib(again),
        mib(more),
        more as f64 / 1024.0 / connections as f64
    );
    Ok(())
}

/// Asks once on each of these connections, of which the first has number `first`, and takes the answers.
fn ask(
    target: &Target,
    lanes: &mut [Lane<'_>],
    first: usize,
    keys: &mut Keys,
    poll: &mut Poll,
    events: &mut Events,
) -> Result<(), BenchError> {
    let failed = || BenchError::io(format!("talking to {}", target.name));
    for lane in lanes.iter_mut() {
        #[allow(clippy::disallowed_methods, reason = "a load generator measures the machine's own time")]
        lane.begin(keys, std::time::Instant::now()).map_err(failed())?;
    }
    let mut left = lanes.len();
    while left > 0 {
        wait(poll, events, Some(ANSWER_TIMEOUT))?;
        if events.is_empty() {
            return Err(overdue(target));
        }
        for event in events.iter() {
            let Some(lane) = event.token().0.checked_sub(first).and_then(|at| lanes.get_mut(at)) else {
                // One of the others, which have nothing to say, has gone.
                continue;
            };
            if lane.is_idle() {
                continue;
            }
            if event.is_writable() {
                lane.send().map_err(failed())?;
            }
            if event.is_readable() && lane.receive()? > 0 {
                left -= 1;
            }
        }
    }
    Ok(())
}
