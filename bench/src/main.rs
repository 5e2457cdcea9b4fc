//! `forebay-bench`: the same load against several servers, interleaved round by round, as one table and one JSON file.
//!
//! One thread drives all connections, so that it can be pinned to a core of its own; what is compared is a ratio between
//! targets of one run. Deliberately not a test: nothing here passes or fails on a time.

#![allow(clippy::disallowed_methods, reason = "a load generator measures the machine's own time")]

mod arguments;
mod blocking;
mod connect;
mod dax;
mod drive;
mod echo;
mod exchange;
mod fill;
mod http;
mod idle;
mod item;
mod keys;
mod lag;
mod lane;
mod paced;
mod process;
mod redis;
mod report;
mod scenario;
mod target;
mod timer;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use scenario::Load;
use target::Target;

/// What can go wrong while measuring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A socket or file said no.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What was said.
        source: std::io::Error,
    },
    /// A server answered something else than the load expects.
    #[error("{target} answered {answer:?} to {doing}")]
    Answer {
        /// Which target.
        target: String,
        /// To what.
        doing: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// Some connections came to nothing.
    #[error("{failed} connections failed, the first so: {first}")]
    Connections {
        /// How many.
        failed: usize,
        /// What was said of the first.
        first: String,
    },
    /// A server's memory is to be read, and nothing says which process it is.
    #[error("{target} needs its process behind its address, as in name=dax://HOST:PORT#PID, one that runs")]
    NoProcess {
        /// Which target.
        target: String,
    },
    /// What is measured is asked over HTTP only.
    #[error("{target} is to be an http:// address here")]
    OnlyHttp {
        /// Which target.
        target: String,
    },
    /// Items can't be written in the way that a target is addressed.
    #[error(
        "{target} makes no tables over DAX: run `fill` for the same server's http:// address, then this with --loaded"
    )]
    NotFilled {
        /// Which target.
        target: String,
    },
    /// This process may not have enough files open.
    #[error(
        "{needed} open files are needed and {limit} are allowed: run `ulimit -n {needed}` before, as one who may"
    )]
    OwnFiles {
        /// How many are allowed at most.
        limit: u64,
        /// How many it takes.
        needed: u64,
    },
    /// The server may not have enough files open.
    #[error("{target} may have {limit} files open and needs {needed}: start it behind `ulimit -n {needed}`")]
    ServersFiles {
        /// Which target.
        target: String,
        /// How many it may have.
        limit: u64,
        /// How many it takes.
        needed: u64,
    },
}

impl BenchError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> BenchError {
        let doing = doing.into();
        move |source| BenchError::Io { doing, source }
    }

    pub(crate) fn answer(target: &Target, doing: &str, answer: &[u8]) -> BenchError {
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(400)]).into_owned();
        BenchError::Answer { target: target.name.clone(), doing: doing.into(), answer }
    }
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forebay-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> Result<(), BenchError> {
    match arguments.command {
        Command::Echo { port } => echo::serve(port),
        Command::Fsync { file, appends, files } => report::fsync_floor(&file, appends, files),
        Command::Fill { scenario, targets, items } => fill_all(&targets, &items.load(scenario)),
        Command::Run { scenario, targets, load, pipeline, rounds, loaded, json } => {
            let load = Load { pipeline: pipeline.max(1), ..load.load(scenario) };
            if !loaded {
                fill_all(&targets, &load)?;
            }
            rounds_of(&targets, &load, rounds, json.as_deref())
        }
        Command::Paced { targets, load, rate, share, writes_percent, rounds } => {
            let pace = paced::Pace { rate, share, writes_percent };
            paced::run(&targets, &load.load(scenario::Scenario::GetItem), pace, rounds)
        }
        Command::Lag { writer, readers, load } => {
            lag::run(&writer, &readers, &load.load(scenario::Scenario::PutItem))
        }
        Command::Idle { target, load } => idle::run(&target, &load.load(scenario::Scenario::GetItem)),
        Command::Connect { target, load, rate } => {
            connect::run(&target, &load.load(scenario::Scenario::GetItem), rate)
        }
    }
}

fn fill_all(targets: &[Target], load: &Load) -> Result<(), BenchError> {
    for target in targets {
        eprintln!("loading {} items into {target}", load.keys);
        fill::fill(target, load)?;
    }
    Ok(())
}

fn rounds_of(targets: &[Target], load: &Load, rounds: usize, json: Option<&Path>) -> Result<(), BenchError> {
    let mut report = report::Report::new(load, targets);
    for round in 0..rounds {
        for (place, target) in targets.iter().enumerate() {
            report.add(place, drive::run(target, load, round as u64)?);
        }
        eprintln!("round {} of {rounds} done", round + 1);
    }
    report.print();
    match json {
        Some(file) => {
            std::fs::write(file, report.json()).map_err(BenchError::io(format!("writing {}", file.display())))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
